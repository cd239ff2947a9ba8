"""How many clocks of a stream run, are forecast to break, and have broken: counted without folding anything."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = ("clocks_running", "clocks_breaking", "clocks_breached")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("stream", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in COLUMNS:
        # Not a batch: it would make the table anew without the checks that have no name.
        op.execute(f"ALTER TABLE stream DROP COLUMN {name}")
