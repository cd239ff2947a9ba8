"""Which incidents only some may know of, so that lists leave them out without folding them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("stream", sa.Column("restricted", sa.Boolean(), nullable=False, server_default="0"))


def downgrade() -> None:
    # Not a batch: it would make the table anew without the checks that have no name.
    op.execute("ALTER TABLE stream DROP COLUMN restricted")
