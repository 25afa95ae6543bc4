"""
A cross-check against somebody else's idea of the wire formats: the npm package @copilotkit/aimock (`make laws`).

It needs node and npm, and the registry the first time. Where they are missing the test says so by its name alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.llm import LOCAL, case, code_of, llm_policy, one, scorer
from tests.support.llm_stub import GOOD

VERSION = "1.43.0"
SCRIPT = Path(__file__).parents[1] / "support" / "aimock.mjs"
MANNERS: dict[str, Any] = {
    "good": {"content": json.dumps(GOOD)},
    "enum": {"content": json.dumps(GOOD | {"intent": {"label": "hack", "reason": ""}})},
    "range": {"content": json.dumps(GOOD | {"urgency": {"score": 400, "reason": ""}})},
    "cut": {"content": json.dumps(GOOD)[:60]},
    "busy": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429},
    "broken": {"error": {"message": "oops", "type": "server_error"}, "status": 500},
    "key": {"error": {"message": "no", "type": "authentication_error"}, "status": 401},
    "over": {"error": {"message": "full", "type": "overloaded_error"}, "status": 529},
}
CODES = {"good": "", "enum": "wrong_enum", "range": "out_of_range", "cut": "malformed", "busy": "rate_limited",
         "broken": "server_error", "key": "auth", "over": "overloaded"}  # fmt: skip
WIRES = {"responses": ("openai", "/v1"), "chat": ("openai", "/v1")} | {
    one: (one, "") for one in ("anthropic", "google")
}


def missing() -> str:
    """Return which program is missing, "" for none."""
    return next((name for name in ("node", "npm") if shutil.which(name) is None), "")


@pytest.fixture(scope="module")
def aimock() -> Iterator[str]:
    """The address of a running aimock."""
    folder = Path(tempfile.mkdtemp(prefix="triage-aimock-"))
    try:
        shutil.copy(SCRIPT, folder / "serve.mjs")
        (folder / "manners.json").write_text(json.dumps(MANNERS), "utf-8")
        package = f"@copilotkit/aimock@{VERSION}"
        subprocess.run(["npm", "install", "--silent", "--no-audit", package], cwd=folder, check=True, timeout=180)
        command = ["node", "serve.mjs", "manners.json"]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as node:
            assert node.stdout is not None
            yield node.stdout.readline().strip()
            node.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if missing():

    @pytest.mark.laws
    def test_the_cross_check_is_left_out_for_node_or_npm_is_missing() -> None:
        """Its name in the list is all it says."""

else:

    @pytest.mark.laws
    @pytest.mark.parametrize("wire", WIRES)
    @pytest.mark.parametrize("manner", MANNERS)
    def test_somebody_elses_mock_is_read_as_ours_is(aimock: str, wire: str, manner: str) -> None:
        provider, path = WIRES[wire]
        api = "chat" if wire == "chat" else "responses"
        version = "v1beta" if provider == "google" else ""
        asked = scorer(llm_policy(provider=provider, endpoint=aimock + path, api=api, api_version=version))
        found = one(asked, case(subject=f"manner-{manner} it"))
        asked.close()
        assert code_of(found) == CODES[manner]
        assert (found.values == LOCAL.values) == (manner != "good")
