"""The sample policy of `policies/`, and conditions read against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from triage.config import load_policy, read_folder
from triage.rules.check import Known
from triage.rules.document import PolicyDocument
from triage.rules.language import Condition
from triage.rules.parse import read_condition
from triage.rules.positions import read_tree

POLICIES = Path(__file__).parent / "policies"


@pytest.fixture(scope="session")
def policies() -> Path:
    """The folder with the sample policy (`valid`) and one file for each fault (`invalid`)."""
    return POLICIES


@pytest.fixture(scope="session")
def base() -> str:
    """The text of the sample policy's file without rules."""
    return (POLICIES / "valid" / "base.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def document() -> PolicyDocument:
    """The sample policy, loaded."""
    return load_policy(read_folder(POLICIES / "valid"))


@pytest.fixture(scope="session")
def known(document: PolicyDocument) -> Known:
    """What conditions of a Case may name."""
    return Known.of(document, "Case")


@pytest.fixture(scope="session")
def read(known: Known) -> Callable[[str], Condition]:
    """Reads YAML text as one condition that must be without fault."""

    def read_one(text: str) -> Condition:
        node, page = read_tree("rules.yaml", text)
        assert node is not None
        condition = read_condition(node, known, page)
        assert page.faults == []
        assert condition is not None
        return condition

    return read_one
