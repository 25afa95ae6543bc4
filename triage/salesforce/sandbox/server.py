"""The whole sandbox: an organisation, its HTTPS and gRPC servers, its certificate authority, and how to get in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec.structs import replace

from triage.domain.instant import to_datetime
from triage.salesforce.sandbox.certificate import make_authority, make_client_key
from triage.salesforce.sandbox.logins import Account, Sessions
from triage.salesforce.sandbox.organisation import Organisation
from triage.salesforce.sandbox.pubsub import Bus
from triage.salesforce.sandbox.web import Listener, Site

ANNOUNCED = "triage_announcement"


class Sandbox:
    """One sandbox organisation, from `with Sandbox(..) as sandbox` to its end."""

    def __init__(
        self, folder: Path, now: Callable[[], int], *, real_now: Callable[[], int] | None = None, events: bool = True
    ) -> None:
        """
        Args:
            folder: For certificates and keys; made where it is missing.
            now: What time it is in the organisation, ms UTC.
            real_now: What time certificates go by, where the organisation's own clock is a made-up one.
            events: Serve change events over gRPC, too.
        """
        self.authority = make_authority(folder, to_datetime((real_now or now)()))
        self._folder = folder
        self.account = Account()
        self.org = Organisation(now)
        self.sessions = Sessions(self.account, now)
        self.site = Site(self.org, self.sessions)
        self._listener = Listener(self.site, self.authority)
        self.bus = (
            Bus(
                self.org,
                self.sessions,
                self.authority,
            )
            if events
            else None
        )
        self.org.seed(
            "User", Id=self.account.user, Name="Triage", Username=self.account.username, UserType="Standard",
            Email="triage@sandbox.example",
        )  # fmt: skip
        self.org.seed("CustomNotificationType", DeveloperName=ANNOUNCED)
        self.site.resources.actions["standard/customNotificationAction"] = lambda inputs: {}

    @property
    def faults(self) -> Any:
        """What it is told to do wrong."""
        return self.site.faults

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{self.site.host}"

    def environment(self) -> dict[str, str]:
        """Return the settings with which our client gets in, as environment variables."""
        found = {
            "INSTANCE_URL": self.url, "USERNAME": self.account.username, "PASSWORD": self.account.password,
            "SECURITY_TOKEN": self.account.security_token, "CA_BUNDLE": str(self.authority.bundle),
            "ORGANIZATION_ID": self.org.id, "IS_SANDBOX": "true",
        }  # fmt: skip
        if self.bus is not None:
            found["PUBSUB"] = self.bus.address
        return {f"TRIAGE_SALESFORCE_{name}": value for name, value in found.items()}

    def make_client_key(self) -> Path:
        """Give the connected app a certificate, for the JWT bearer flow; return where its private key is."""
        path = self._folder / "app.key"
        self.account = replace(self.account, public_key=make_client_key(path))
        self.sessions.account = self.account
        return path

    def start(self) -> Sandbox:
        """Begin to serve."""
        self._listener.start()
        if self.bus is not None:
            self.bus.start()
        return self

    def stop(self) -> None:
        """End."""
        if self.bus is not None:
            self.bus.stop()
        self._listener.stop()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
