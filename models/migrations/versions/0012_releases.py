"""Which releases have worked this record, and by whose rules each stream's due time was reckoned."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "release",
        sa.Column("version", sa.String(), primary_key=True),
        sa.Column("schema", sa.String(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.add_column("stream", sa.Column("due_rules", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("stream_due_rules", "stream", ["due_rules", "next_due_at", "id"])


def downgrade() -> None:
    op.drop_index("stream_due_rules", "stream")
    # Not a batch: it would make the table anew without the checks that have no name.
    op.execute("ALTER TABLE stream DROP COLUMN due_rules")
    op.drop_table("release")
