"""The stored past slows nobody: what is looked for often is found without reading what is over."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
PARTIAL = {
    "stream_wanted": (["kind"], "wanted > served", "wanted > served"),
    "stream_sick": (["retry_at"], "retry_at IS NOT NULL", "retry_at IS NOT NULL"),
    "stream_restricted": (["id"], "restricted = 1", "restricted"),
}


def upgrade() -> None:
    op.drop_index("stream_wanted", "stream")
    for name, (columns, sqlite, postgresql) in PARTIAL.items():
        op.create_index(
            name, "stream", columns, sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql)
        )
    op.create_index("outbox_sent", "outbox", ["channel", "sent_at"])


def downgrade() -> None:
    op.drop_index("outbox_sent", "outbox")
    for name in PARTIAL:
        op.drop_index(name, "stream")
    op.create_index("stream_wanted", "stream", ["kind", "wanted", "served"])
