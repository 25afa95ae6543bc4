"""The curl lines of docs/api.md, run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.served import Served

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_every_curl_line_runs_as_written(tmp_path: Path) -> None:
    """Against a server of ours: each answers, and none is refused."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.fail("curl is not installed: the lines of docs/api.md cannot be run")
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
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
    assert len(blocks) >= 7
    assert found.stdout.count('"id":"500A"') >= 2
