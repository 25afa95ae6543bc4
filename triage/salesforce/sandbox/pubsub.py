"""The Pub/Sub API of the sandbox: topics, schemas, and subscriptions with replay ids, flow control and keepalives."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc

from triage.domain.instant import HOUR
from triage.salesforce import wire
from triage.salesforce.sandbox.avro import Codec
from triage.salesforce.sandbox.certificate import Authority
from triage.salesforce.sandbox.logins import Sessions
from triage.salesforce.sandbox.organisation import Change, Organisation
from triage.salesforce.sandbox.values import Refused

KEPT = 72 * HOUR
"""How long events can be replayed, in ms."""

MOST_REQUESTED = 100
ALL_CHANGES = "ChangeEvents"
CORRUPTED = "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted"
TOO_OLD = "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.validation.failed"


class _Wants:
    """What one subscriber still wants; its requests come in a thread of their own."""

    def __init__(self) -> None:
        self.left = 0
        self.ended = False


class Bus:
    """Serves the change events of one organisation over gRPC on loopback."""

    def __init__(self, org: Organisation, sessions: Sessions, authority: Authority, *, keepalive: float = 0.5) -> None:
        """*keepalive*: after how many s without an event a subscriber is told the latest replay id (270 s really)."""
        self._org = org
        self._sessions = sessions
        self._keepalive = keepalive
        self._stopping = False
        self._codecs = {name: Codec(table) for name, table in org.tables.items() if table.changes}
        self._topics = {f"/data/{codec.name}": name for name, codec in self._codecs.items()}
        self.refuse: list[tuple[grpc.StatusCode, str]] = []
        self._server = grpc.server(ThreadPoolExecutor(16, thread_name_prefix="pubsub"))
        self._server.add_generic_rpc_handlers((self._handlers(),))
        pair = (authority.key.read_bytes(), authority.chain.read_bytes())
        port = self._server.add_secure_port("localhost:0", grpc.ssl_server_credentials([pair]))
        self.address = f"localhost:{port}"

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self) -> None:
        """End every subscription."""
        self._stopping = True
        with self._org.news:
            self._org.news.notify_all()
        self._server.stop(0).wait()

    def _handlers(self) -> Any:
        def unary(function: Any, asked: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                function, request_deserializer=asked.FromString, response_serializer=_bytes
            )

        subscribe = grpc.stream_stream_rpc_method_handler(
            self._subscribe, request_deserializer=wire.FetchRequest.FromString, response_serializer=_bytes
        )
        methods = {
            "GetTopic": unary(self._topic, wire.TopicRequest),
            "GetSchema": unary(self._schema, wire.SchemaRequest),
            "Subscribe": subscribe,
        }
        return grpc.method_handlers_generic_handler(wire.SERVICE, methods)

    def _check(self, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        if metadata.get("tenantid") != self._org.id or not metadata.get("instanceurl"):
            _refuse(
                context, grpc.StatusCode.UNAUTHENTICATED, "sfdc.platform.eventbus.grpc.service.auth.headers.invalid"
            )
        try:
            self._sessions.check(metadata.get("accesstoken", ""))
        except Refused:
            _refuse(context, grpc.StatusCode.UNAUTHENTICATED, "sfdc.platform.eventbus.grpc.service.auth.error")

    def _tables(self, topic: str, context: Any) -> frozenset[str]:
        if topic == f"/data/{ALL_CHANGES}":
            return frozenset(self._codecs)
        if topic not in self._topics:
            code = "sfdc.platform.eventbus.grpc.topic.not.found"
            _refuse(context, grpc.StatusCode.NOT_FOUND, code)
        return frozenset({self._topics[topic]})

    def _topic(self, request: Any, context: Any) -> Any:
        self._check(context)
        tables = self._tables(request.topic_name, context)
        schema = self._codecs[next(iter(tables))].id if len(tables) == 1 else ""
        return wire.TopicInfo(
            topic_name=request.topic_name, tenant_guid=self._org.id, can_subscribe=True, schema_id=schema, rpc_id="1"
        )

    def _schema(self, request: Any, context: Any) -> Any:
        self._check(context)
        found = next((codec for codec in self._codecs.values() if codec.id == request.schema_id), None)
        if found is None:
            _refuse(context, grpc.StatusCode.NOT_FOUND, "sfdc.platform.eventbus.grpc.schema.not.found")
        return wire.SchemaInfo(schema_json=found.text, schema_id=found.id, rpc_id="1")

    def _subscribe(self, requests: Any, context: Any) -> Iterator[Any]:
        self._check(context)
        first = next(requests)
        tables = self._tables(first.topic_name, context)
        last = self._start(first, context)
        wants = _Wants()
        self._more(wants, first, context)
        threading.Thread(target=self._listen, args=(requests, wants), daemon=True).start()
        while context.is_active() and not wants.ended and not self._stopping:
            if self.refuse:
                code, words = self.refuse.pop(0)
                _refuse(context, code, words)
            with self._org.news:
                found, newest = self._after(last, tables, wants.left)
                if not found:
                    heard = self._org.news.wait(self._keepalive)
                    if heard or self._stopping:
                        continue
                wants.left -= len(found)
            last = found[-1].replay if found else newest
            yield wire.FetchResponse(
                events=[self._event(change) for change in found],
                latest_replay_id=_replay_bytes(last),
                pending_num_requested=wants.left,
                rpc_id="1",
            )

    def _after(self, last: int, tables: frozenset[str], most: int) -> tuple[list[Change], int]:
        """Return at most *most* events of *tables* after *last*, and the newest replay id that was looked at."""
        log = self._org.log
        if not log:
            return [], last
        # Replay ids of the sandbox rise by one: its log is its own index.
        start = max(0, last - log[0].replay + 1)
        found: list[Change] = []
        for change in log[start:]:
            if change.table in tables:
                if len(found) >= most:
                    return found, last
                found.append(change)
        return found, log[-1].replay

    def _start(self, request: Any, context: Any) -> int:
        """Return the replay id after which to begin."""
        log = self._org.log
        newest = log[-1].replay if log else 0
        if request.replay_preset == wire.LATEST:
            return newest
        oldest = self._org.now() - KEPT
        kept = next((change.replay - 1 for change in log if change.at >= oldest), newest)
        if request.replay_preset == wire.EARLIEST:
            return kept
        if len(request.replay_id) != 8:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, CORRUPTED)
        asked = int.from_bytes(request.replay_id, "big")
        if asked < kept or asked > max(newest, kept):
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, TOO_OLD)
        return asked

    def _more(self, wants: _Wants, request: Any, context: Any = None) -> None:
        if not 0 < request.num_requested <= MOST_REQUESTED and context is not None:
            _refuse(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                "sfdc.platform.eventbus.grpc.subscription.fetch.requests.invalid",
            )
        with self._org.news:
            wants.left += min(MOST_REQUESTED, request.num_requested)
            self._org.news.notify_all()

    def _listen(self, requests: Any, wants: _Wants) -> None:
        # However the subscriber ends, here or there, this thread has nothing left to do.
        with contextlib.suppress(Exception):
            for request in requests:
                self._more(wants, request)
        with self._org.news:
            wants.ended = True
            self._org.news.notify_all()

    def _event(self, change: Change) -> Any:
        codec = self._codecs[change.table]
        event = wire.ProducerEvent(id=f"{change.key}/{change.number}", schema_id=codec.id, payload=codec.encode(change))
        return wire.ConsumerEvent(event=event, replay_id=_replay_bytes(change.replay))


def _replay_bytes(replay: int) -> bytes:
    return replay.to_bytes(8, "big")


def _bytes(found: Any) -> bytes:
    return bytes(found.SerializeToString())


def _refuse(context: Any, code: grpc.StatusCode, words: str) -> NoReturn:
    context.set_trailing_metadata((("error-code", words),))
    context.abort(code, words)
    raise AssertionError("abort always raises")
