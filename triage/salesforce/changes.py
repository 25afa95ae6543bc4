"""Change data capture through the Pub/Sub API: a stream of change events, decoded, with where to go on after each."""

from __future__ import annotations

import contextlib
import io
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
import grpc
import msgspec

from triage.errors import LoginRefused, ReplayLost, SessionExpired, Unreachable
from triage.salesforce import wire
from triage.salesforce.client import Client
from triage.salesforce.package import CLIENT

EVERYTHING = "/data/ChangeEvents"
"""The channel on which the change events of all objects chosen in Setup come, in one order."""

CREDIT = 100
"""The most events that may be asked for at once."""

UNARY_WITHIN = 30
_HEADER = "ChangeEventHeader"
_REPLAY_ERRORS = ("replayid.corrupted", "replayid.validation.failed")


class Changed(NamedTuple):
    """
    One change event: its header, the fields that changed (None: empty now), and where to go on after it.

    `partial`: a long text came as a difference only, so that the records have to be read again.
    """

    header: dict[str, Any]
    values: dict[str, Any]
    replay: bytes
    partial: bool = False

    @property
    def ours(self) -> bool:
        """Return whether the change came through a call of ours."""
        return f"client={CLIENT}" in self.header["changeOrigin"].split(";")


class Batch(NamedTuple):
    """Change events in order, and where to go on after them; no events where only time has passed."""

    events: list[Changed]
    replay: bytes


class Stream:
    """One subscription. One thread reads it; the library's own fill it."""

    def __init__(self, client: Client, *, topic: str = EVERYTHING, after: bytes = b"", ca_bundle: str = "") -> None:
        """
        Subscribe.

        Args:
            after: Where to go on; from now on where it is empty.
            ca_bundle: Who is trusted, the connection's own where it is empty.
        """
        self._client = client
        self._topic = topic
        self._after = after
        bundle = ca_bundle or client.connection.ca_bundle
        roots = Path(bundle).read_bytes() if bundle else None
        # Messages of up to 4 MiB; a record with long texts is far below.
        self._channel = grpc.secure_channel(client.connection.pubsub, grpc.ssl_channel_credentials(roots))
        self._schemas: dict[str, Any] = {}
        self._asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._came: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._token = ""
        self._pending = 0
        self._call: Any = None
        self._open()

    def take(self, wait: int) -> Batch | None:
        """
        Return what has come, None where nothing came within *wait* ms.

        Raises:
            ReplayLost: events after the point that was reached are no longer kept.
            Unreachable, LoginRefused: the stream ended; `again` opens it where it was.
        """
        try:
            came = self._came.get(timeout=wait / 1000) if wait > 0 else self._came.get_nowait()
        except queue.Empty:
            return None
        if isinstance(came, grpc.RpcError):
            raise _typed(came)
        if came is None:
            raise Unreachable("the stream of change events ended", code="STREAM_ENDED")
        events = [self._decoded(one) for one in came.events]
        self._pending = came.pending_num_requested
        if self._pending <= CREDIT // 2:
            self._ask(CREDIT - self._pending)
        self._after = events[-1].replay if events else bytes(came.latest_replay_id) or self._after
        return Batch(events, self._after)

    def again(self) -> None:
        """Subscribe anew where the last one was left; the session is renewed where it was refused."""
        self._cancel()
        self._client.refresh(self._token)
        self._open()

    def close(self) -> None:
        """End the subscription."""
        self._cancel()
        self._channel.close()

    def _open(self) -> None:
        self._asked, self._came = queue.SimpleQueue(), queue.SimpleQueue()
        first = {"topic_name": self._topic, "num_requested": CREDIT}
        preset = wire.CUSTOM if self._after else wire.LATEST
        self._asked.put(wire.FetchRequest(**first, replay_preset=preset, replay_id=self._after))
        subscribe = self._channel.stream_stream(
            f"/{wire.SERVICE}/Subscribe", request_serializer=_bytes, response_deserializer=wire.FetchResponse.FromString
        )
        self._call = subscribe(iter(self._asked.get, None), metadata=self._metadata())
        threading.Thread(target=_fill, args=(self._call, self._came), daemon=True, name="changes").start()

    def _cancel(self) -> None:
        self._asked.put(None)
        if self._call is not None:
            self._call.cancel()

    def _ask(self, count: int) -> None:
        self._asked.put(wire.FetchRequest(topic_name=self._topic, num_requested=count))

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        self._token, instance, organization = self._client.access()
        return (("accesstoken", self._token), ("instanceurl", instance), ("tenantid", organization))

    def _decoded(self, came: Any) -> Changed:
        schema, fields = self._schema(came.event.schema_id)
        record: Any = fastavro.schemaless_reader(io.BytesIO(came.event.payload), schema, None)
        header = record.pop(_HEADER)
        return Changed(header, _told(record, header, fields), bytes(came.replay_id), bool(header["diffFields"]))

    def _schema(self, schema_id: str) -> tuple[Any, list[Any]]:
        if schema_id not in self._schemas:
            ask = self._channel.unary_unary(
                f"/{wire.SERVICE}/GetSchema",
                request_serializer=_bytes,
                response_deserializer=wire.SchemaInfo.FromString,
            )
            try:
                found = ask(wire.SchemaRequest(schema_id=schema_id), metadata=self._metadata(), timeout=UNARY_WITHIN)
            except grpc.RpcError as cause:
                raise _typed(cause) from cause
            raw = msgspec.json.decode(found.schema_json)
            self._schemas[schema_id] = (fastavro.parse_schema(raw), raw["fields"])
        found_schema: tuple[Any, list[Any]] = self._schemas[schema_id]
        return found_schema


def named(bitmaps: list[str], fields: list[Any]) -> Iterator[tuple[str, str]]:
    """
    Yield the fields that *bitmaps* name, as (field, ""), or (compound field, its part).

    A bitmap is `0x` and hex digits: the lowest bit is the schema's first field. `4-0x06` speaks of the parts of the
    field in place 4 (from 0) alone.
    """
    for text in bitmaps:
        place, dash, bits = text.partition("-")
        number = int(bits if dash else place, 16)
        inner = _parts(fields[int(place)]) if dash else fields
        for at, one in enumerate(inner):
            if number >> at & 1:
                yield (fields[int(place)]["name"], one["name"]) if dash else (one["name"], "")


def _parts(field: Any) -> list[Any]:
    kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return next((kind["fields"] for kind in kinds if isinstance(kind, dict) and "fields" in kind), [])


def _told(record: dict[str, Any], header: dict[str, Any], fields: list[Any]) -> dict[str, Any]:
    """Return the values that the event tells: all that are there for a new record, else those that changed."""
    if header["changeType"] in ("CREATE", "UNDELETE"):
        found: dict[str, Any] = {}
        for name, value in record.items():
            inner = value if isinstance(value, dict) else {name: value}
            found |= {key: one for key, one in inner.items() if one is not None}
        return found
    values: dict[str, Any] = {}
    for name, part in named([*header["changedFields"], *header["nulledFields"]], fields):
        if name == _HEADER:
            continue
        value = record.get(name)
        if part or isinstance(value, dict):
            inner = value or {}
            values |= {part: inner.get(part)} if part else inner
        else:
            values[name] = value
    return values


def _fill(call: Any, came: queue.SimpleQueue[Any]) -> None:
    try:
        for response in call:
            came.put(response)
        came.put(None)
    except grpc.RpcError as cause:
        with contextlib.suppress(RuntimeError):
            came.put(cause)


def _typed(cause: Any) -> Exception:
    """Return our error for one of the library's; the server's own code stands in the trailing metadata."""
    code = cause.code()
    trailing = dict(cause.trailing_metadata() or ())
    said = str(trailing.get("error-code", "")) or str(cause.details() or "")
    if any(word in said for word in _REPLAY_ERRORS):
        return ReplayLost("events after the last one read are no longer kept", code=said)
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return SessionExpired(f"the Pub/Sub API refused the session: {said}", code=said)
    if code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND):
        return LoginRefused(f"the Pub/Sub API refused the subscription: {said}", code=said)
    return Unreachable(f"the Pub/Sub API does not answer: {said or code}", code=said)


def _bytes(found: Any) -> bytes:
    return bytes(found.SerializeToString())
