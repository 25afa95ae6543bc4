"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Databases, databases

_asked: list[Databases] = []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """Databases on a PostgreSQL server, started when the first test asks; a failure where there is none."""
    with databases() as found:
        _asked.append(found)
        yield found
        _asked.clear()


@pytest.fixture(autouse=True)
def nothing_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the very test that leaves a connection open: a warning about it would come in some later one."""
    yield
    if _asked and "postgres" in request.fixturenames:
        left = _asked[0].left_open()
        _asked[0].part(left)
        assert left == []
