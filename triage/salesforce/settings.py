"""How to reach an organisation: TRIAGE_SALESFORCE_* of the environment, or a file of the same names."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from triage.domain.instant import SECOND
from triage.errors import ConfigError

PREFIX = "TRIAGE_SALESFORCE_"
_SECRETS = ("password", "security_token", "consumer_secret", "session_id")
_NUMBERS = ("timeout", "calls_per_second", "limit_share")
_FLAGS = ("is_sandbox", "availability")


class Connection(Struct, frozen=True, kw_only=True):
    """
    How to reach one organisation. `timeout` is seconds; `limit_share` the share of its daily calls that we may use up.

    `instance_url` is where to log in, too, unless `domain` names a My Domain or `login`. `organization_id` and
    `is_sandbox` pin the organisation: any other one is only observed. `deployment` is the name of this installation.
    `availability` lets the worker write who can take work to a field of the user.
    `scores` says where a record's scores are written: on a `child` row, on the `record` itself, or not at all (`none`).
    """

    instance_url: str = ""
    domain: str = ""
    username: str = ""
    password: str = ""
    security_token: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    private_key: str = ""
    session_id: str = ""
    ca_bundle: str = ""
    pubsub: str = "api.pubsub.salesforce.com:7443"
    version: str = "59.0"
    organization_id: str = ""
    is_sandbox: bool | None = None
    deployment: str = ""
    notification: str = ""
    scores: str = "child"
    timeout: int = 30
    calls_per_second: int = 20
    limit_share: int = 90
    availability: bool = False

    @property
    def login_url(self) -> str:
        """Return where credentials are shown: the instance itself, else the domain's own page."""
        if self.domain:
            return "" if self.domain in ("login", "test") or not self.instance_url else self.instance_url
        return self.instance_url

    @property
    def timeout_ms(self) -> int:
        """Return the time that one answer may take, in ms."""
        return self.timeout * SECOND


def read_connection(given: Mapping[str, str], where: str = "the environment") -> Connection:
    """
    Return the connection that *given* (names with or without `TRIAGE_SALESFORCE_`) states.

    Raises:
        ConfigError: an unknown name, a value that is none, or no complete set of credentials; every fault at once.
    """
    faults: list[str] = []
    values: dict[str, object] = {}
    for name, text in given.items():
        key = name.removeprefix(PREFIX).casefold()
        if key not in Connection.__struct_fields__:
            faults.append(f"{where} has {name}, which is no setting: {', '.join(Connection.__struct_fields__)}")
        elif text.strip():
            _take(key, name, text.strip(), values, faults)
    if not faults:
        found = Connection(**values)  # type: ignore[arg-type]
        faults = [f"{where}: {fault}" for fault in _wrong(found)]
        if not faults:
            return found
    raise ConfigError("\n".join(faults))


def _take(key: str, name: str, text: str, values: dict[str, object], faults: list[str]) -> None:
    if key in _NUMBERS:
        if not text.isdigit() or int(text) < 1:
            faults.append(f"{name} must be a whole number above 0, not {text!r}")
            return
        values[key] = int(text)
    elif key in _FLAGS:
        if text.casefold() not in ("true", "false"):
            faults.append(f"{name} must be true or false, not {text!r}")
            return
        values[key] = text.casefold() == "true"
    else:
        values[key] = text


def _wrong(found: Connection) -> list[str]:
    faults = []
    if found.instance_url:
        url = urlsplit(found.instance_url)
        if url.scheme != "https" or not url.hostname or url.path.strip("/"):
            faults.append(f"instance_url must read https://HOST[:PORT], not {found.instance_url!r}")
    if found.scores not in ("child", "record", "none"):
        faults.append(f"scores must be child, record or none, not {found.scores!r}")
    if way_in(found) == "":
        faults.append(
            "no complete credentials: session_id with instance_url; or username, password and security_token; or "
            "username, consumer_key and private_key; or consumer_key and consumer_secret (with username and password "
            "where the app asks for them)"
        )
    return faults


def way_in(found: Connection) -> str:
    """Return which login the credentials are complete for: session, jwt, soap, oauth, client; "" for none."""
    if found.session_id and found.instance_url:
        return "session"
    if found.username and found.consumer_key and found.private_key:
        return "jwt"
    if found.username and found.password and found.consumer_key and found.consumer_secret:
        return "oauth"
    if found.username and found.password:
        return "soap"
    if found.consumer_key and found.consumer_secret and (found.instance_url or found.domain):
        return "client"
    return ""


def hidden(found: Connection) -> dict[str, object]:
    """Return the settings to be shown, without what is secret."""
    return {
        name: "***" if name in _SECRETS and value else value
        for name in Connection.__struct_fields__
        if (value := getattr(found, name))
    }
