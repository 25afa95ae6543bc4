"""Models fitted once for all tests of a session."""

from __future__ import annotations

import pytest

from tests.support.tables import cases, deals, saved
from training.fit import Fitted, fit
from training.prepare import Request


@pytest.fixture(scope="session")
def case_model(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """An urgency model on made cases, in time order."""
    folder = tmp_path_factory.mktemp("cases")
    data = saved(cases(), folder)
    return fit(
        Request(
            task="urgency", data=(data,), id="CaseId", target="y_late", time="CreatedDate", out=str(folder / "model")
        )
    )


@pytest.fixture(scope="session")
def deal_model(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A lead-value model on made deals."""
    folder = tmp_path_factory.mktemp("deals")
    data = saved(deals(), folder)
    request = Request(
        task="lead-value", data=(data,), id="DealId", target="y_won", amount="y_amount", out=str(folder / "model")
    )
    return fit(request)
