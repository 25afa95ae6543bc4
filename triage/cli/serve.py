"""Commands around the API: serve it, and make, list, rotate and revoke keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import click

from triage.cli.common import (
    as_json,
    duration,
    instant_cell,
    log_option,
    opened_store,
    print_json,
    print_table,
    say,
    store_option,
)
from triage.domain.instant import DAY
from triage.errors import ConfigError
from triage.keys import SCOPES, create_key, revoke_key, rotate_key
from triage.ports import ApiKey, Store
from triage.serving import Server, local_models, open_api, warm
from triage.wiring import SystemClock, address_of, open_journal, same_database, stop_on_signals

FIRST_FOR = 30 * DAY
"""How long the key lasts that a first `triage serve` prints."""


@click.command()
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="HOST:PORT to answer at.")
@log_option
@store_option
@as_json
def serve(listen: str, log_level: str, url: str | None, as_json: bool) -> None:
    """
    Answer the HTTP API until Ctrl-C. Every request needs a key but /healthz and /readyz.

    Scores come from the models of TRIAGE_MODELS; without any, /v1/score answers 503 and everything else goes on.

    Where no key exists yet, one for 30 days is made and printed, once. Effects are done by `triage run`, not here.
    """
    host, port = address_of(listen)
    with opened_store(url, must_exist=False) as store:
        first = _first_key(store)
        journal = open_journal(log_level)
        scorer, models = local_models(store, journal)
        app = open_api(store, partial(same_database, store), scorer=scorer, models=models, journal=journal)
        try:
            server = Server(app, host, port)
        except OSError as cause:
            raise ConfigError(f"cannot answer at {listen}: {cause.strerror or cause}") from cause
        at = f"http://{server.host}:{server.port}"
        text = f"answering at {at}, described at {at}/openapi.json; Ctrl-C stops"
        if first:
            text += f"\nthis first key is shown once and ends in 30 days:\n  export TRIAGE_KEY={first}"
        with stop_on_signals() as stop:
            say(text, {"address": at, "key": first or None}, as_json)
            server.start()
            # Meanwhile it answers: whoever comes first waits for the models, nobody for what needs none.
            with ThreadPoolExecutor(1, "warm") as pool:
                pool.submit(warm, scorer)
                server.wait(stop)
        server.close()


def _first_key(store: Store) -> str:
    with store.read() as unit:
        if unit.access.listed():
            return ""
    now = SystemClock().now()
    return create_key(store, ("score", "read", "operate", "admin"), now + FIRST_FOR, now, label="first")[1]


@click.group()
def keys() -> None:
    """Keys to the API: made once, kept as hashes, ended at once."""


@keys.command("create")
@click.option("--scope", required=True, help=f"One or more of {', '.join(SCOPES)}, with commas between.")
@click.option("--expires", type=duration, default="90d", show_default=True, help="How long it lasts, such as 90d.")
@click.option("--label", default="", help="Who has it; stands in the audit.")
@store_option
@as_json
def keys_create(scope: str, expires: int, label: str, url: str | None, as_json: bool) -> None:
    """Make a key and print it: this once, and nowhere again."""
    now = SystemClock().now()
    with opened_store(url, must_exist=False) as store:
        scopes = tuple(part.strip() for part in scope.split(",") if part.strip())
        key, text = create_key(store, scopes, now + expires, now, label=label)
    _shown(key, text, as_json)


@keys.command("list")
@store_option
@as_json
def keys_list(url: str | None, as_json: bool) -> None:
    """List keys: what they may, until when, and whether they were revoked."""
    with opened_store(url) as store, store.read() as unit:
        found = unit.access.listed()
    now = SystemClock().now()
    if as_json:
        for key in found:
            print_json(_row(key, now))
        return
    rows = [tuple(_row(key, now).values()) for key in found]
    print_table(("id", "label", "may", "made", "ends", "state"), rows, "no keys: `triage keys create` makes one")


@keys.command("rotate")
@click.argument("key_id")
@click.option("--expires", type=duration, default="90d", show_default=True, help="How long the new one lasts.")
@store_option
@as_json
def keys_rotate(key_id: str, expires: int, url: str | None, as_json: bool) -> None:
    """Put a new key in the place of KEY_ID, which ends at once."""
    now = SystemClock().now()
    with opened_store(url) as store:
        key, text = rotate_key(store, key_id, now + expires, now)
    _shown(key, text, as_json)


@keys.command("revoke")
@click.argument("key_id")
@click.option("--reason", default="", help="Why; kept in the audit.")
@store_option
@as_json
def keys_revoke(key_id: str, reason: str, url: str | None, as_json: bool) -> None:
    """End KEY_ID: requests with it are refused, within a second by a server that has just seen it."""
    with opened_store(url) as store:
        revoke_key(store, key_id, SystemClock().now(), reason=reason)
    say(f"{key_id} opens nothing any more", {"revoked": key_id}, as_json)


def _shown(key: ApiKey, text: str, as_json: bool) -> None:
    body = {"id": key.id, "key": text, "scopes": key.scopes, "expires": instant_cell(key.expires)}
    say(f"{text}\nid {key.id}, may {', '.join(key.scopes)}, ends {instant_cell(key.expires)}", body, as_json)


def _row(key: ApiKey, now: int) -> dict[str, str]:
    state = "revoked" if key.revoked is not None else "expired" if key.expires <= now else "works"
    return {
        "id": key.id, "label": key.label, "may": ", ".join(key.scopes), "made": instant_cell(key.created),
        "ends": instant_cell(key.expires), "state": state,
    }  # fmt: skip
