"""
The messages of the Pub/Sub API, built from a table of the published field numbers; no generated code is needed.

`message(name)` returns the class of one. Shared by our client and the sandbox: it is the protocol, not an opinion.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "eventbus.v1"
SERVICE = f"{PACKAGE}.PubSub"
LATEST, EARLIEST, CUSTOM = 0, 1, 2

_TEXT, _BYTES, _NUMBER, _FLAG = 9, 12, 5, 8
_MESSAGES: dict[str, tuple[tuple[str, int, int | str, bool], ...]] = {
    "TopicInfo": (
        ("topic_name", 1, _TEXT, False), ("tenant_guid", 2, _TEXT, False), ("can_publish", 3, _FLAG, False),
        ("can_subscribe", 4, _FLAG, False), ("schema_id", 5, _TEXT, False), ("rpc_id", 6, _TEXT, False),
    ),
    "TopicRequest": (("topic_name", 1, _TEXT, False),),
    "EventHeader": (("key", 1, _TEXT, False), ("value", 2, _BYTES, False)),
    "ProducerEvent": (
        ("id", 1, _TEXT, False), ("schema_id", 2, _TEXT, False), ("payload", 3, _BYTES, False),
        ("headers", 4, "EventHeader", True),
    ),
    "ConsumerEvent": (("event", 1, "ProducerEvent", False), ("replay_id", 2, _BYTES, False)),
    "FetchRequest": (
        ("topic_name", 1, _TEXT, False), ("replay_preset", 2, "ReplayPreset", False), ("replay_id", 3, _BYTES, False),
        ("num_requested", 4, _NUMBER, False), ("auth_refresh", 5, _TEXT, False),
    ),
    "FetchResponse": (
        ("events", 1, "ConsumerEvent", True), ("latest_replay_id", 2, _BYTES, False), ("rpc_id", 3, _TEXT, False),
        ("pending_num_requested", 4, _NUMBER, False),
    ),
    "SchemaRequest": (("schema_id", 1, _TEXT, False),),
    "SchemaInfo": (("schema_json", 1, _TEXT, False), ("schema_id", 2, _TEXT, False), ("rpc_id", 3, _TEXT, False)),
}  # fmt: skip


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="triage_pubsub.proto", package=PACKAGE, syntax="proto3")
    presets = file.enum_type.add(name="ReplayPreset")
    for number, name in enumerate(("LATEST", "EARLIEST", "CUSTOM")):
        presets.value.add(name=name, number=number)
    for name, fields in _MESSAGES.items():
        found = file.message_type.add(name=name)
        for title, number, kind, many in fields:
            one = found.field.add(name=title, number=number, label=3 if many else 1)
            if isinstance(kind, int):
                one.type = kind
            else:
                one.type = 14 if kind == "ReplayPreset" else 11
                one.type_name = f".{PACKAGE}.{kind}"
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def message(name: str) -> Any:
    """Return the class of the message *name*."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


TopicInfo, TopicRequest = message("TopicInfo"), message("TopicRequest")
FetchRequest, FetchResponse = message("FetchRequest"), message("FetchResponse")
ConsumerEvent, ProducerEvent = message("ConsumerEvent"), message("ProducerEvent")
SchemaRequest, SchemaInfo = message("SchemaRequest"), message("SchemaInfo")
