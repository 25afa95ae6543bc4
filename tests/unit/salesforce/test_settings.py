"""Connection settings from the environment or a file: every fault at once, no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.config import salesforce_settings
from triage.errors import ConfigError
from triage.salesforce.settings import Connection, hidden, read_connection, way_in

URL = {"instance_url": "https://acme.my.salesforce.com"}
PASSWORD = {"username": "u", "password": "p"}


@pytest.mark.parametrize(
    ("given", "way"),
    [
        ({**URL, "session_id": "s"}, "session"),
        ({**PASSWORD, "security_token": "t"}, "soap"),
        ({**PASSWORD, "consumer_key": "k", "consumer_secret": "c"}, "oauth"),
        ({"username": "u", "consumer_key": "k", "private_key": "file"}, "jwt"),
        ({**URL, "consumer_key": "k", "consumer_secret": "c"}, "client"),
        ({"domain": "acme.my", "consumer_key": "k", "consumer_secret": "c"}, "client"),
    ],
)
def test_which_login_the_credentials_are_for(given: dict[str, str], way: str) -> None:
    """The first complete set counts."""
    assert way_in(read_connection(given)) == way


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no complete credentials"),
        ({"session_id": "s"}, "no complete credentials"),
        ({**PASSWORD, "instance_url": "http://x"}, "instance_url must read https://HOST"),
        ({**PASSWORD, "instance_url": "https://x/services"}, "instance_url must read https://HOST"),
        ({**PASSWORD, "timeout": "soon"}, "timeout must be a whole number above 0"),
        ({**PASSWORD, "is_sandbox": "perhaps"}, "is_sandbox must be true or false"),
        ({**PASSWORD, "nonsense": "1"}, "which is no setting"),
        ({**PASSWORD, "scores": "nowhere"}, "scores must be child, record or none"),
    ],
)
def test_what_is_wrong_is_named_with_its_fix(given: dict[str, str], words: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=words):
        read_connection(given)


def test_all_faults_come_at_once() -> None:
    """Nobody mends one to meet the next."""
    with pytest.raises(ConfigError) as caught:
        read_connection({"timeout": "0", "is_sandbox": "x", "nonsense": "y"})
    assert len(str(caught.value).splitlines()) == 3


def test_where_the_login_goes() -> None:
    """To the instance, unless a public login page is asked for."""
    assert Connection(**URL).login_url == URL["instance_url"]
    assert Connection(**URL, domain="login").login_url == ""
    assert Connection(**URL, domain="acme.my").login_url == URL["instance_url"]
    assert Connection(domain="acme.my").login_url == ""


def test_secrets_are_not_shown() -> None:
    """Everything else is."""
    shown = hidden(read_connection({**PASSWORD, "security_token": "t", "is_sandbox": "true"}))
    assert (shown["password"], shown["security_token"], shown["username"]) == ("***", "***", "u")


def test_settings_of_the_environment_go_before_those_of_the_file(tmp_path: Path) -> None:
    """Names with or without prefix; secrets may stand elsewhere."""
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    file = tmp_path / "salesforce.env"
    file.write_text(f"# ours\nexport TRIAGE_SALESFORCE_USERNAME='u'\npassword=file:{secret}\n\ntimeout=5\n")
    given = {"TRIAGE_SALESFORCE_FILE": str(file), "TRIAGE_SALESFORCE_TIMEOUT": "7", "TRIAGE_ORG": "x"}
    assert salesforce_settings(given) == {"username": "u", "password": "hush", "timeout": "7"}
    assert salesforce_settings({"TRIAGE_ORG": "x"}) == {}


def test_a_line_of_the_file_that_is_none(tmp_path: Path) -> None:
    """Named by its number."""
    file = tmp_path / "salesforce.env"
    file.write_text("username=u\nnonsense\n")
    with pytest.raises(ConfigError, match="2:1: write NAME=value"):
        salesforce_settings({"TRIAGE_SALESFORCE_FILE": str(file)})
