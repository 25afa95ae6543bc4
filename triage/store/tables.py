"""Every table. Instants are ms UTC; `org_id` leads every primary key, so that a fleet can shard by organisation."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Sequence, Table, Text, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

metadata = MetaData()

STRING = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that sorts by its bytes on both databases, so that both page through keys in one order."""

BRISK = {
    "fillfactor": "80",
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_cost_delay": "0",
}
"""Storage of the tables whose rows change again and again: room on each page, and dead rows swept up early."""

SEQUENCES = tuple(
    Sequence(f"{name}_number", metadata=metadata, data_type=BigInteger) for name in ("action", "audit", "event")
)
"""Where PostgreSQL takes the `seq` of these tables from; SQLite counts its rows."""


def _table(name: str, *columns: Column[object], indexes: tuple[Index, ...] = (), wide: bool = False) -> Table:
    """
    Return the table. On SQLite a narrow one is clustered by its primary key, which saves a second look-up.

    A *wide* one is not: rows of a kilobyte belong at the end of the file, not at the place of a random key.
    """
    return Table(name, metadata, *columns, *indexes, sqlite_with_rowid=wide)


def _key(name: str, kind: type[BigInteger] | TypeEngine[str] = STRING) -> Column[object]:
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def _text(name: str, default: str | None = "") -> Column[object]:
    return Column(name, STRING, nullable=default is None, server_default=default)


def _int(name: str, default: int | None = 0) -> Column[object]:
    return Column(name, BigInteger, nullable=default is None, server_default=None if default is None else str(default))


record = _table(
    "record",
    _key("org_id"),
    _key("record_id"),
    Column("state", Text, nullable=False),
    _int("version"),
    Column("is_open", Integer, nullable=False, server_default="1"),
    _text("owner_id"),
    Column("refs", Text, nullable=False, server_default="[]"),
    wide=True,
)

TIMER_SET = text("due_ms IS NOT NULL")
timer = _table(
    "timer",
    _key("org_id"),
    _key("record_id"),
    _int("due_ms", None),
    _text("why"),
    indexes=(Index("timer_due", "org_id", "due_ms", sqlite_where=TIMER_SET, postgresql_where=TIMER_SET),),
)

rescore = _table(
    "rescore",
    _key("org_id"),
    _key("record_id"),
    Column("due_ms", BigInteger, nullable=False),
    indexes=(Index("rescore_due", "org_id", "due_ms"),),
)

api_key = _table(
    "api_key",
    _key("org_id"),
    _key("key_id"),
    Column("secret_hash", STRING, nullable=False),
    Column("scopes", STRING, nullable=False),
    _text("label"),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    _int("revoked_ms", None),
    indexes=(Index("api_key_id", "key_id", unique=True),),
)

answer = _table(
    "answer",
    _key("org_id"),
    _key("key_id"),
    _key("idem_key"),
    Column("request_hash", STRING, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    indexes=(Index("answer_at", "org_id", "at_ms"),),
)

reference = _table(
    "reference",
    _key("org_id"),
    _key("target"),
    _key("record_id"),
)

PENDING = text("state IN ('ready', 'leased')")
action = _table(
    "action",
    _key("org_id"),
    _key("idem_key"),
    Column("seq", BigInteger, nullable=False),
    Column("record_id", STRING, nullable=False),
    Column("kind", STRING, nullable=False),
    Column("lane", STRING, nullable=False),
    Column("target", STRING, nullable=False),
    Column("rule", STRING, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", STRING, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    _int("run_at_ms"),
    _int("attempt"),
    _text("owner"),
    _text("lease_token"),
    _text("last_error"),
    Column("before", Text, nullable=False, server_default="{}"),
    _int("done_ms", None),
    indexes=(
        Index("action_due", "org_id", "priority", "run_at_ms", "seq", sqlite_where=PENDING, postgresql_where=PENDING),
        Index("action_order", "org_id", "record_id", "lane", "seq"),
        Index("action_seq", "org_id", "seq", unique=True),
        Index("action_rule", "org_id", "rule", "state", "seq"),
        Index("action_state", "org_id", "state", "seq"),
    ),
    wide=True,
)

audit = _table(
    "audit",
    _key("org_id"),
    _key("seq", BigInteger),
    Column("at_ms", BigInteger, nullable=False),
    Column("record_id", STRING, nullable=False),
    _text("idem_key"),
    Column("event", STRING, nullable=False),
    _text("actor"),
    _text("rule"),
    Column("body", Text),
    Column("digest", STRING, nullable=False),
    Column("prev_hash", STRING, nullable=False),
    Column("hash", STRING, nullable=False),
    indexes=(
        Index("audit_record", "org_id", "record_id", "seq"),
        Index("audit_key", "org_id", "idem_key"),
        Index("audit_event", "org_id", "event", "seq"),
    ),
    wide=True,
)

event = _table(
    "event",
    _key("org_id"),
    _key("source"),
    _key("event_id"),
    Column("seq", BigInteger, nullable=False),
    Column("record_id", STRING, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    indexes=(Index("event_record", "org_id", "record_id", "seq"), Index("event_seq", "org_id", "seq", unique=True)),
    wide=True,
)

source = _table(
    "source",
    _key("org_id"),
    _key("name"),
    _int("live_from_ms"),
    _text("cursor"),
    _int("accepted"),
    _int("repeated"),
    _int("refused"),
)

refusal = _table(
    "refusal",
    _key("org_id"),
    _key("source"),
    _key("line", BigInteger),
    _key("reason"),
    _text("record_id"),
    _text("body"),
    _int("at_ms"),
    wide=True,
)

policy = _table(
    "policy",
    _key("org_id"),
    _key("digest"),
    Column("texts", Text, nullable=False),
    Column("modes", Text, nullable=False),
    Column("outlines", Text, nullable=False),
    _int("at_ms"),
    _text("actor"),
    _text("reason"),
    Column("live", Integer, nullable=False, server_default="0"),
    Column("is_virtual", Integer, nullable=False, server_default="0"),
    _int("seq"),
    wide=True,
)

decision = _table(
    "decision",
    _key("org_id"),
    _key("id"),
    Column("record_id", STRING, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("policy", STRING, nullable=False),
    Column("call", STRING, nullable=False),
    Column("now_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("facts", Text, nullable=False),
    Column("agents", Text, nullable=False),
    Column("loads", Text, nullable=False),
    Column("result", Text, nullable=False),
    indexes=(Index("decision_record", "org_id", "record_id", "version", "now_ms"),),
    wide=True,
)

roster = _table("roster", _key("org_id"), _key("digest"), Column("agents", Text, nullable=False), wide=True)

agent = _table("agent", _key("org_id"), _key("id"), Column("body", Text, nullable=False))

related = _table(
    "related",
    _key("org_id"),
    _key("object"),
    _key("id"),
    Column("changes", Text, nullable=False),
    _int("at_ms"),
)

rate_bucket = _table(
    "rate_bucket",
    _key("org_id"),
    _key("scope"),
    _key("name"),
    _key("span"),
    _key("start_ms", BigInteger),
    _int("used"),
)

control = _table(
    "control",
    _key("org_id"),
    _key("name"),
    _int("at_ms"),
    _text("actor"),
    _text("reason"),
)

llm_call = _table(
    "llm_call",
    _key("org_id"),
    _key("id"),
    _int("at_ms"),
    _text("record_id"),
    _text("provider"),
    _text("model"),
    _text("prompt"),
    _text("purpose"),
    _int("reserved"),
    _int("cost", None),
    _int("input"),
    _int("cached"),
    _int("output"),
    _text("outcome"),
    _text("request"),
    _int("millis"),
    Column("compared", Text, nullable=False, server_default="{}"),
    Column("limits", Text, nullable=False, server_default="[]"),
    indexes=(Index("llm_call_at", "org_id", "at_ms"),),
    wide=True,
)

# The organisation `*` holds what all of them draw on together.
llm_budget = _table("llm_budget", _key("org_id"), _key("scope"), _key("name"), _key("day", BigInteger), _int("used"))

llm_answer = _table(
    "llm_answer",
    _key("org_id"),
    _key("content"),
    _text("record_id"),
    _int("at_ms"),
    Column("answer", Text, nullable=False),
    indexes=(Index("llm_answer_record", "org_id", "record_id"),),
    wide=True,
)
