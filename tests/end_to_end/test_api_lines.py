"""The curl lines of docs/api.md and README.md, run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.served import Served

ROOT = Path(__file__).parents[2]


def blocks_of(text: str) -> list[str]:
    """Return the blocks of *text* that a shell is to run."""
    return re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize(("page", "least"), [("docs/api.md", 8), ("README.md", 1)])
def test_every_curl_line_runs_as_written(tmp_path: Path, page: str, least: int) -> None:
    """Against a server of ours: each answers, and none is refused."""
    if shutil.which("curl") is None:
        pytest.fail(f"curl is not installed: the lines of {page} cannot be run")
    blocks = blocks_of((ROOT / page).read_text(encoding="utf-8"))
    served = Served(tmp_path)
    lines = "set -eu\n" + "".join(blocks).replace("http://127.0.0.1:8080", served.address)
    environment = {
        "PATH": os.environ["PATH"], "NO_PROXY": "*", "TRIAGE_KEY": served.key("score", "read", "operate", "admin"),
    }  # fmt: skip
    try:
        found = subprocess.run(
            ["bash", "-c", lines], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
    finally:
        served.close()
    assert found.returncode == 0, found.stderr
    assert len(blocks) >= least
    assert found.stdout.count('"id":"500A"') >= min(2, least)
