"""What the auditor has counted, and how far it has read; figures are found without what is over."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.create_index("stream_live", "stream", ["kind", "status", "severity"])
    running = sa.text("clocks_running > 0")
    op.create_index(
        "stream_clocks", "stream", ["clocks_running"], sqlite_where=running, postgresql_where=running
    )


def downgrade() -> None:
    op.drop_index("stream_clocks", "stream")
    op.drop_index("stream_live", "stream")
    op.drop_table("audit")
