"""What every test may rely on: where the shared inputs lie, and who is left out where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# `make test` looks at the same cases each time, so that a green run stays green; `make laws` looks for new ones.
settings.register_profile("test", derandomize=True, deadline=None)
settings.register_profile("laws", deadline=None)
settings.load_profile("test")

pytest_plugins = ["tests.support.fixtures"]

SHARED = Path(__file__).resolve().parents[2] / "shared"
_left_out: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked `shared` where the folder is missing; `pytest_terminal_summary` names them."""
    if SHARED.is_dir():
        return
    out = [item for item in items if item.get_closest_marker("shared")]
    _left_out.extend(item.nodeid for item in out)
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker of pytest-xdist hand on what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Gather what a worker left out: each leaves out the same."""
    told = getattr(node, "workeroutput", {}).get("left_out", ())
    _left_out.extend(name for name in told if name not in _left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that were left out, so that a green run never hides them."""
    for node in _left_out:
        terminalreporter.write_line(f"left out, ../shared is missing: {node}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real inputs that exists only where the project is built and in CI."""
    return SHARED
