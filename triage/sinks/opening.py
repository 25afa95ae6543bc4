"""Sinks as a file states them, opened: secrets looked up, certificates loaded, every fault told at once."""

from __future__ import annotations

import binascii
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from triage.errors import ConfigError
from triage.ports import Sink
from triage.sinks.chat import ChatSink
from triage.sinks.listening import DecisionListener
from triage.sinks.local import JsonlSink, StoreSink
from triage.sinks.mail import MailSink, Server
from triage.sinks.routed import RoutedSink
from triage.sinks.settings import SinkSettings, SinksFile
from triage.sinks.webhook import WebhookSink

Secrets = Callable[[str], str]
"""From `env:NAME` or `file:PATH` to what it holds; ConfigError where there is nothing."""

Now = Callable[[], int]


def open_sinks(
    found: SinksFile,
    secrets: Secrets,
    now: Now,
    file: str,
    more: Mapping[str, Callable[[SinkSettings], Sink]] | None = None,
) -> RoutedSink:
    """
    Return all sinks of *found* behind one; raise ConfigError that names every sink which cannot be opened.

    Args:
        more: What opens sinks of kinds that other rooms have, by kind.
    """
    opened: dict[str, Sink] = {}
    faults = []
    for name, settings in found.sinks.items():
        try:
            elsewhere = (more or {}).get(settings.kind)
            opened[name] = elsewhere(settings) if elsewhere else open_one(settings, secrets, now)
        except ConfigError as cause:
            faults.append(f"sink {name!r}: {cause}")
    if faults:
        for sink in opened.values():
            sink.close()
        raise ConfigError("\n".join(faults))
    listeners = [
        DecisionListener(hooks, one, found.organisations, file)
        for one in found.decisions
        if isinstance(hooks := opened[one.sink], WebhookSink)
    ]
    return RoutedSink(opened, found.routes, found.organisations, file, listeners)


def open_one(
    settings: SinkSettings, secrets: Secrets, now: Now
) -> MailSink | WebhookSink | ChatSink | JsonlSink | StoreSink:
    """Return one sink, unconnected; raise ConfigError where a secret or certificate is missing or wrong."""
    match settings.kind:
        case "smtp":
            return _mail(settings, secrets, now)
        case "webhook":
            keys = {name: _signing(name, secrets(reference)) for name, reference in settings.secrets.items()}
            return WebhookSink(
                settings.name, keys, now, default=settings.webhook, fields=settings.fields, timeout=settings.timeout,
                tls=_trust(settings.ca),
            )  # fmt: skip
        case "chat":
            return ChatSink(
                settings.name, secrets(settings.url), now, timeout=settings.timeout, tls=_trust(settings.ca)
            )
        case "salesforce":
            raise ConfigError(f"{settings.name} is opened with the connection to Salesforce")
        case "jsonl":
            return JsonlSink(Path(settings.path))
    return StoreSink()


def _mail(settings: SinkSettings, secrets: Secrets, now: Now) -> MailSink:
    server = Server(
        host=settings.host,
        port=settings.port,
        security=settings.security,
        username=settings.username,
        password=secrets(settings.password) if settings.password else "",
        timeout=settings.timeout,
    )
    return MailSink(
        settings.name, server, settings.sender, now, recipients=settings.recipients, tls=_trust(settings.ca)
    )


def _signing(name: str, secret: str) -> str:
    """Return a webhook secret that can sign; its text stands in no error."""
    try:
        Webhook(secret)
        if len(binascii.a2b_base64(secret.removeprefix("whsec_") + "==")) >= 16:
            return secret
    except (ValueError, EmptyWebhookSecretError):
        pass
    raise ConfigError(f"the secret of webhook {name!r} is not whsec_ and the base64 of 24 random bytes")


def _trust(ca: str) -> ssl.SSLContext:
    """Return who is trusted: the machine's authorities, or only those in the file *ca*."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as cause:
        raise ConfigError(f"the certificates in {ca} cannot be read: {getattr(cause, 'strerror', cause)}") from cause
