"""Several nodes on one database: which of them has a message or a duty in hand, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.add_column("outbox", sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("lease_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    # Not a batch: it would make the table anew without the checks that have no name.
    op.execute("ALTER TABLE outbox DROP COLUMN lease_until")
    op.execute("ALTER TABLE outbox DROP COLUMN epoch")
    op.drop_table("lease")
