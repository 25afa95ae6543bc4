"""A sinks file: what it may say, every fault with its place, and which route takes what."""

from __future__ import annotations

import pytest

from triage.domain.instant import SECOND
from triage.errors import ConfigError
from triage.sinks.settings import Route, read_sinks

GOOD = """
organisations: [acme]
sinks:
  mail:
    kind: smtp
    host: smtp.example.com
    from: triage@example.com
    username: triage
    password: env:SMTP_PASSWORD
    recipients: {"role:duty-manager": duty@example.com, "team:desk": [a@example.com, b@example.com]}
  secure: {kind: smtp, host: smtp.example.com, from: triage@example.com, security: tls, timeout: 5s}
  hooks:
    kind: webhook
    secrets: {status-page: env:STATUS_SECRET, pager: "file:/run/secrets/pager"}
    webhook: pager
    fields: [number, priority]
  ops: {kind: chat, url: env:CHAT_URL}
  log: {kind: jsonl, path: out/actions.jsonl}
  here: {kind: store}
routes:
  - {kinds: notify, to: ["role:*", "team:desk"], sink: ops}
  - {kinds: [notify, acknowledge], sink: mail}
  - {kinds: custom, sink: hooks}
  - {sink: log}
decisions:
  - {sink: hooks, webhook: status-page, events: [would_have], rules: late}
  - {sink: hooks, webhook: pager}
"""


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as found:
        read_sinks("sinks.yaml", text)
    return [f"{fault.line}: {fault.text}" for fault in found.value.faults]


def test_a_good_file_is_read_whole() -> None:
    found = read_sinks("sinks.yaml", GOOD)
    assert found.organisations == ("acme",)
    mail = found.sinks["mail"]
    assert (mail.host, mail.port, mail.security, mail.timeout) == ("smtp.example.com", 587, "starttls", 30 * SECOND)
    assert (mail.sender, mail.username, mail.password) == ("triage@example.com", "triage", "env:SMTP_PASSWORD")
    assert mail.recipients == {
        "role:duty-manager": ("duty@example.com",), "team:desk": ("a@example.com", "b@example.com"),
    }  # fmt: skip
    assert (found.sinks["secure"].port, found.sinks["secure"].timeout) == (465, 5 * SECOND)
    assert found.sinks["hooks"].secrets == {"status-page": "env:STATUS_SECRET", "pager": "file:/run/secrets/pager"}
    assert [route.sink for route in found.routes] == ["ops", "mail", "hooks", "log"]
    first, second = found.decisions
    assert (first.webhook, first.events, first.rules) == ("status-page", ("would_have",), ("late",))
    assert (second.events, second.rules) == (("planned", "would_have", "backlog", "held", "suppressed"), ())


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("kind: chat", "kind: slak", "unknown kind of sink 'slak'"),
        ("kind: chat, ", "", "unknown kind of sink ''"),
        (
            "url: env:CHAT_URL",
            "url: https://hooks.slack.com/x",
            "env:NAME or file:PATH: a secret never stands in the file",
        ),
        ("password: env:SMTP_PASSWORD", "password: hunter2", "a secret never stands in the file"),
        ("    password: env:SMTP_PASSWORD\n", "", "a login is a username and a password"),
        ("password: env:SMTP_PASSWORD", "password: env:SMTP_PASSWORD\n    security: none", "over an open line"),
        ("from: triage@example.com\n", "from: Triage <t@example.com>\n", "a mail address such as"),
        ("    host: smtp.example.com\n", "", "an smtp sink lacks host"),
        ("host: smtp.example.com\n", "host: smtp.example.com\n    hots: x\n", "did you mean 'host'"),
        ("sink: log", "sink: lgo", "unknown sink 'lgo'"),
        ("kinds: custom, sink: hooks", "kinds: custom, sink: mail", "'mail' is of kind smtp and can do"),
        ("  - {sink: log}", "  - {sink: ops}", "'ops' is of kind chat and can do notify, not"),
        ("kinds: notify,", "kinds: notfy,", "did you mean 'notify'"),
        ("organisations: [acme]\n", "", "a sinks file lacks organisations"),
        ("organisations: [acme]", "organisations: []", "the list is empty"),
        ("duty@example.com", '"duty@example.com, boss@example.com"', "a mail address such as"),
        ("timeout: 5s", "timeout: 5", "no duration with its unit"),
        ("events: [would_have]", "events: [done]", "is asked for here, not 'done'"),
        ("webhook: status-page", "webhook: nobody", "'hooks' has no secret for 'nobody'"),
        ("{sink: hooks, webhook: pager}", "{sink: ops, webhook: pager}", "only a webhook is told of decisions"),
        ("{sink: hooks, webhook: pager}", "{sink: gone, webhook: pager}", "unknown sink 'gone'"),
        ("path: out/actions.jsonl", "path: ''", "text is asked for"),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_mends_it(before: str, after: str, fault: str) -> None:
    assert before in GOOD
    found = faults(GOOD.replace(before, after, 1))
    assert any(fault in one for one in found), found


def test_a_secret_written_by_mistake_is_not_shown_again() -> None:
    for before in ("env:CHAT_URL", "env:SMTP_PASSWORD", "env:STATUS_SECRET"):
        with pytest.raises(ConfigError) as found:
            read_sinks("sinks.yaml", GOOD.replace(before, "hunter2"))
        assert "hunter2" not in str(found.value)
        assert "a secret never stands in the file" in str(found.value)


def test_all_faults_are_told_at_once() -> None:
    found = faults(GOOD.replace("kind: chat", "kind: slak").replace("sink: log", "sink: lgo").replace("[acme]", "[]"))
    assert len(found) == 3


@pytest.mark.parametrize("text", ["", "a: [", "- x", "sinks: 3"])
def test_what_is_no_sinks_file_is_refused(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    ("route", "kind", "target", "takes"),
    [
        (Route(sink="x"), "reassign", "user:1", True),
        (Route(sink="x", kinds=("notify",)), "notify", "user:1", True),
        (Route(sink="x", kinds=("notify",)), "reassign", "user:1", False),
        (Route(sink="x", to=("role:*",)), "notify", "role:duty", True),
        (Route(sink="x", to=("role:duty",)), "notify", "role:duty", True),
        (Route(sink="x", to=("role:duty",)), "notify", "role:duty-manager", False),
        (Route(sink="x", to=("role:*",)), "notify", "team:duty", False),
        (Route(sink="x", to=("customer",)), "acknowledge", "customer:a@b.c", True),
        (Route(sink="x", to=("customer",)), "acknowledge", "customer", True),
        (Route(sink="x", to=("role:a:b",)), "notify", "role:a:b", True),
    ],
)
def test_a_route_takes_by_kind_and_target(route: Route, kind: str, target: str, takes: bool) -> None:
    assert route.takes(kind, target) is takes
