"""Sinks opened from their file: secrets by reference only, every missing one named, none ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sinks.letters import NOW, SECRET
from tests.unit.sinks.test_settings import GOOD
from triage.config import read_secret
from triage.errors import ConfigError
from triage.sinks.opening import open_sinks
from triage.sinks.settings import SinksFile, read_sinks

ENVIRONMENT = {
    "SMTP_PASSWORD": "hunter2",
    "STATUS_SECRET": SECRET,
    "PAGER_SECRET": SECRET,
    "CHAT_URL": "https://hooks.example.com/verysecret",
}


def found(tmp_path: Path, *edits: tuple[str, str]) -> SinksFile:
    text = GOOD.replace("out/actions.jsonl", str(tmp_path / "out.jsonl")).replace(
        '"file:/run/secrets/pager"', "env:PAGER_SECRET"
    )
    for before, after in edits:
        text = text.replace(before, after)
    return read_sinks("sinks.yaml", text)


def secrets(**changed: str):
    return lambda reference: read_secret(reference, ENVIRONMENT | changed)


def test_all_sinks_are_opened_and_none_is_connected(tmp_path: Path) -> None:
    sink = open_sinks(found(tmp_path), secrets(), lambda: NOW, "sinks.yaml")
    assert (sink.name, sink.live) == ("sinks", True)
    sink.close()


def test_every_missing_secret_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as fault:
        open_sinks(found(tmp_path), secrets(SMTP_PASSWORD="", CHAT_URL=" "), lambda: NOW, "sinks.yaml")
    assert str(fault.value).splitlines() == [
        "sink 'mail': the secret env:SMTP_PASSWORD is not set in the environment",
        "sink 'ops': the secret env:CHAT_URL is not set in the environment",
    ]


@pytest.mark.parametrize("secret", ["whsec_", "whsec_AAAA", "not base64 at all!", "hünter2"])
def test_a_weak_or_broken_signing_secret_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigError, match="the secret of webhook 'pager' is not whsec_") as fault:
        open_sinks(found(tmp_path), secrets(PAGER_SECRET=secret), lambda: NOW, "sinks.yaml")
    assert secret not in str(fault.value) or secret == "whsec_"


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the certificates in /gone\.pem cannot be read"):
        open_sinks(found(tmp_path, ("kind: chat,", "kind: chat, ca: /gone.pem,")), secrets(), lambda: NOW, "sinks.yaml")


def test_a_secret_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    assert read_secret(f"file:{tmp_path}/secret") == "hunter2"
    for bad in (f"file:{tmp_path}/gone", f"file:{tmp_path}", "env:NOT_SET_ANYWHERE", "plain", ""):
        with pytest.raises(ConfigError, match="secret"):
            read_secret(bad, {})
