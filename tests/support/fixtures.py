"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Databases, databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """Databases on a PostgreSQL server, started when the first test asks; a failure where there is none."""
    with databases() as found:
        yield found
