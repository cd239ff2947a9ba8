"""Alembic's environment: it runs on the connection that `models.migrations` hands over."""

from __future__ import annotations

from alembic import context

from models.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
