"""Keys to the API: 256 random bits shown once, kept as a hash; scopes, an end, rotation, and revocation at once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from msgspec.structs import replace

from triage.domain.decision import AuditEntry
from triage.errors import AccessError, ConfigError
from triage.ports import ApiKey, Store, Unit

SCOPES = ("score", "read", "operate", "admin", "people")
"""
What a key may: ask for scores and dry decisions; read items, actions, audit, rules; hand in events and override; change
rules, models and agents; see figures about a person. Each is given by itself.
"""

PREFIX = "triage"

KEPT = 800.0
"""For how long, in ms, a key that was looked up is not looked up again."""

MOST_KEPT = 1_000
"""How many keys are kept so at most."""


def create_key(
    store: Store, scopes: tuple[str, ...], expires: int, now: int, *, label: str = "", actor: str = "cli"
) -> tuple[ApiKey, str]:
    """
    Return a new key and its text, `triage_<id>_<secret>`, which is nowhere to be found again.

    Raises:
        ConfigError: an unknown scope, none at all, or an end that has passed.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ConfigError(f"{', '.join(unknown) or 'no scope'}: a key has one or more of {', '.join(SCOPES)}")
    if expires <= now:
        raise ConfigError("a key that has expired already opens nothing: name an end to come")
    identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ApiKey(
        id=identity, org=store.org, secret_hash=_hash(secret), scopes=tuple(sorted(set(scopes))), label=label,
        created=now, expires=expires,
    )  # fmt: skip
    with store.write() as unit:
        unit.access.add(key)
        _note(unit, "key_created", now, actor, key=identity, scopes=" ".join(key.scopes), label=label)
    return key, f"{PREFIX}_{identity}_{secret}"


def revoke_key(store: Store, key_id: str, now: int, *, actor: str = "cli", reason: str = "") -> None:
    """End a key at once; raise ConfigError where there is none such that works."""
    with store.write() as unit:
        if not unit.access.revoke(key_id, now):
            raise ConfigError(f"no key {key_id!r} that still works: `triage keys list` names them")
        _note(unit, "key_revoked", now, actor, key=key_id, reason=reason)
    _ended.count += 1


def rotate_key(store: Store, key_id: str, expires: int, now: int, *, actor: str = "cli") -> tuple[ApiKey, str]:
    """Return a new key with the scopes of *key_id*, which ends at once, and its text."""
    with store.read() as unit:
        held = next((key for key in unit.access.listed() if key.id == key_id and key.revoked is None), None)
    if held is None:
        raise ConfigError(f"no key {key_id!r} that still works: `triage keys list` names them")
    made = create_key(store, held.scopes, expires, now, label=held.label, actor=actor)
    revoke_key(store, key_id, now, actor=actor, reason=f"rotated: {made[0].id} takes its place")
    return made


def opened_by(store: Store, text: str, now: int) -> ApiKey:
    """
    Return the key that *text* is, its hash left out.

    Raises:
        AccessError: it is none, or it has ended; which of these is not told to whoever asks.
    """
    prefix, _, rest = text.partition("_")
    identity, _, secret = rest.partition("_")
    if prefix != PREFIX or not identity or not secret:
        raise AccessError("this is no key: send `Authorization: Bearer triage_..`")
    with store.read() as unit:
        key = unit.access.find(identity)
    known = key is not None and hmac.compare_digest(key.secret_hash, _hash(secret))
    if key is None or not known or key.revoked is not None or key.expires <= now:
        raise AccessError("the key is unknown, has expired or was revoked")
    return replace(key, secret_hash="")


class Keyring:
    """
    Keys that were looked up a moment ago: a program that asks often costs the store nothing.

    A key that is revoked in this process opens nothing from then on; one that another process revokes, within `KEPT`.
    """

    def __init__(self, store: Store, ticks: Callable[[], float]) -> None:
        """*ticks* are milliseconds that only ever grow."""
        self._store = store
        self._ticks = ticks
        self._held: dict[bytes, tuple[float, int, ApiKey]] = {}

    def fresh(self, text: str, now: int) -> ApiKey | None:
        """Return the key that *text* is where that is known without the store, else None."""
        held = self._held.get(hashlib.sha256(text.encode()).digest())
        if held is None or self._ticks() - held[0] > KEPT or held[1] != _ended.count or held[2].expires <= now:
            return None
        return held[2]

    def opened_by(self, text: str, now: int) -> ApiKey:
        """Return what `opened_by` returns, or raise as it does."""
        key = self.fresh(text, now)
        if key is None:
            at, ended = self._ticks(), _ended.count
            key = opened_by(self._store, text, now)
            if len(self._held) >= MOST_KEPT:
                self._held.clear()
            self._held[hashlib.sha256(text.encode()).digest()] = (at, ended, key)
        return key


class _Ended:
    """How many keys this process has ended: whoever keeps a key looks it up again after that."""

    count = 0


_ended = _Ended()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _note(unit: Unit, event: str, now: int, actor: str, **body: str) -> None:
    entry = AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event=event, actor=actor, body=dict(body))
    unit.audit.append([entry])
