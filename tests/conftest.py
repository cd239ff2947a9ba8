"""What the tests share: the example bank opened on an exercise clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

# Importing the flows would otherwise import Prefect into the test process; tests that want it start children.
os.environ.setdefault("HIKESHI_ENGINE", "none")

from models.clock import ExerciseClock
from models.desk import Desk
from models.premises import Premises
from playbooks.institution import Institution, load
from tests.postgres import Postgres
from tests.records import fresh, let_go
from tests.together import ByFile

TESTS = Path(__file__).parent
EXAMPLE = TESTS.parent / "examples" / "mihon-bank"
THREE_AT_NIGHT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
"""Monday 2026-11-23 03:00 in Tokyo, a holiday."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How tests are given to processes."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Docs whose examples start whole nodes go first: at the end one process would work while others wait."""
    items.sort(key=lambda item: item.path.parent != TESTS)


@pytest.fixture(scope="session")
def bank() -> Institution:
    """The example bank."""
    return load(EXAMPLE)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL; each test makes a database of its own in it, and none may stop it."""
    with Postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def _records_are_let_go() -> Iterator[None]:
    """Scenes on PostgreSQL end with their test; those in memory go by themselves."""
    yield
    let_go()


@pytest.fixture
def clock() -> ExerciseClock:
    """Three in the morning in Tokyo."""
    return ExerciseClock(THREE_AT_NIGHT)


@pytest.fixture
def desk(bank: Institution, clock: ExerciseClock) -> Iterator[Desk]:
    """A desk of the example bank on a record in memory."""
    premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks)
    made = Desk(fresh(), premises, clock)
    yield made
    made.record.close()
