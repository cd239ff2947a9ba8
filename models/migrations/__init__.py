"""The record's schema from the first day on, by alembic. `upgrade` lays it down or brings it up to date."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text

from models.errors import RecordTooNew

HEAD = "0012"
KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")


def version(connection: Connection) -> str | None:
    """The schema's version in this database; None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar()


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Bring the schema to `to`. Raises RecordTooNew if a newer Hikeshi wrote it."""
    present = version(connection)
    if present == to:
        return
    if present is not None and present not in KNOWN:
        raise RecordTooNew(
            f"the record's schema is {present}, this Hikeshi knows up to {HEAD}; use the newer version"
        )
    if to == HEAD and connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
        for statement in _laid_down():
            connection.exec_driver_sql(statement)
        return
    _migrate(connection, to)


@cache
def _laid_down() -> tuple[str, ...]:
    """What makes an empty SQLite database the newest one: alembic's own work, read back.

    A process that opens many would compile the same tables for each of them, 30 ms a time.
    """
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        _migrate(connection, HEAD)
        connection.commit()
        driver = connection.connection.dbapi_connection
        assert driver is not None  # noqa: S101 - it was used just now
        script = tuple(driver.iterdump())
    engine.dispose()
    return script[1:-1]


def _migrate(connection: Connection, to: str) -> None:
    # alembic costs 0.2 s to import, and is needed once in the life of a database.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def downgrade(connection: Connection, to: str) -> None:
    """Take the schema back to `to` (`base` empties it); for tests and for rolling back an upgrade."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.downgrade(config, to)
