"""Keys kept for a moment: asked for once, ended at once here, and soon where another process ended them."""

from __future__ import annotations

import pytest

from triage.errors import AccessError
from triage.keys import KEPT, Keyring, create_key, revoke_key
from triage.store.memory import MemoryStore

NOW = 1_000_000


class Ticks:
    """A clock of ms that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_known_for_a_moment_after_it_was_looked_up() -> None:
    store, ticks = MemoryStore("acme"), Ticks()
    key, text = create_key(store, ("score",), NOW + 10_000, NOW)
    ring = Keyring(store, ticks)
    assert ring.fresh(text, NOW) is None
    assert ring.opened_by(text, NOW).id == key.id
    assert ring.fresh(text, NOW) is not None
    ticks.now = KEPT + 1
    assert ring.fresh(text, NOW) is None
    assert ring.opened_by(text, NOW).secret_hash == ""


def test_a_key_that_is_revoked_here_opens_nothing_from_then_on() -> None:
    store, ring_ticks = MemoryStore("acme"), Ticks()
    key, text = create_key(store, ("score",), NOW + 10_000, NOW)
    ring = Keyring(store, ring_ticks)
    ring.opened_by(text, NOW)
    revoke_key(store, key.id, NOW + 1)
    with pytest.raises(AccessError):
        ring.opened_by(text, NOW + 1)


def test_a_key_that_another_process_ends_opens_nothing_within_a_second() -> None:
    store, ticks = MemoryStore("acme"), Ticks()
    key, text = create_key(store, ("score",), NOW + 10_000, NOW)
    ring = Keyring(store, ticks)
    ring.opened_by(text, NOW)
    with store.write() as unit:
        unit.access.revoke(key.id, NOW + 1)
    ticks.now = 1000
    with pytest.raises(AccessError):
        ring.opened_by(text, NOW + 1000)


def test_an_end_that_comes_meanwhile_counts_and_nonsense_is_never_kept() -> None:
    store = MemoryStore("acme")
    _, text = create_key(store, ("score",), NOW + 100, NOW)
    ring = Keyring(store, Ticks())
    ring.opened_by(text, NOW)
    for wrong, at in ((text, NOW + 100), (text + "x", NOW), ("", NOW)):
        with pytest.raises(AccessError):
            ring.opened_by(wrong, at)
        assert ring.fresh(wrong, at) is None
