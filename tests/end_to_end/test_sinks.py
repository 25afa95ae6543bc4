"""A whole worker with sinks from a file against receivers that misbehave: all that was decided is done or dead."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from standardwebhooks.webhooks import Webhook

from tests.unit.sinks.letters import SECRET, action
from tests.unit.sinks.receivers import (
    Behave,
    PostOffice,
    Receiver,
    answer,
    flood,
    free_port,
    hang,
    mail_server,
    raw,
    receiver,
    reset,
)  # fmt: skip
from triage.cli.commands import cli
from triage.cli.main import main
from triage.config import read_secret
from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.errors import SinkRefused
from triage.ports import Effect
from triage.publishing import promote
from triage.sending import Pace
from triage.sinks.opening import open_sinks
from triage.sinks.routed import RoutedSink
from triage.sinks.settings import read_sinks
from triage.steering import stop
from triage.testing import Sandbox
from triage.wiring import SystemClock, open_sink
from triage.worker import Worker

FIELDS = """
objects:
  Case:
    link: "https://crm.example.com/{id}"
    closed_when: [status == Closed]
    fields: {status: Status, subject: Subject, owner: OwnerId, customer: ContactEmail, number: CaseNumber}
"""
PEOPLE = """
directory:
  webhooks: {page: "URL"}
  agents:
    005A: {email: ann@example.com}
templates:
  late: {subject: "Late: {subject}", body: "{subject} is late."}
  hello: {subject: "We have it", body: "Thank you for {subject}."}
safety:
  recipient_domains: [example.com]
  webhook_hosts: [localhost]
  allow_private_hosts: [localhost]
  allow_customer_contact: true
  own_addresses: [triage@example.com]
  digest_over: 3
  caps: {rule: {per_5_minutes: 0, per_day: 0}, recipient: {per_5_minutes: 0, per_day: 0}}
"""
RULES = """
object: Case
rules:
  - id: page
    when: [age >= 1h]
    do: [{custom: {webhook: page, with: {part: case}}}]
  - id: tell
    when: [age >= 2h]
    do: [{notify: {who: owner, template: late}}]
  - id: chat
    when: [age >= 3h]
    do: [{notify: {who: "role:ops", template: late}}]
  - id: thank
    on: [created]
    when: [subject is present]
    do: [{acknowledge: {template: hello}}]
  - id: move
    when: [age >= 4h]
    do: [{reassign: {to: {user: "005B"}}}]
"""
SINKS = """
organisations: [acme]
sinks:
  mail: {kind: smtp, host: localhost, port: PORT, security: none, from: triage@example.com, timeout: 2s}
  hooks: {kind: webhook, secrets: {page: env:PAGE_SECRET}, fields: [number], timeout: 300ms}
  ops: {kind: chat, url: env:CHAT_URL, timeout: 300ms}
routes:
  - {kinds: notify, to: "role:ops", sink: ops}
  - {kinds: [notify, acknowledge], sink: mail}
  - {kinds: custom, sink: hooks}
"""


class House:
    """A worker whose sinks are a mail server, a webhook receiver and a chat."""

    def __init__(self, office: PostOffice, port: int, hooks: Receiver, chat: Receiver) -> None:
        self.office, self.hooks, self.chat = office, hooks, chat
        self.sandbox = promoted(texts(hooks.url))
        self.sink = self.opened(port)
        sandbox = self.sandbox
        self.worker = Worker(
            sandbox.store, self.sink, sandbox.engine, sandbox.clock, pace=Pace(attempts=3, lease=10 * MINUTE)
        )

    def opened(self, port: int) -> RoutedSink:
        environment = {"PAGE_SECRET": SECRET, "CHAT_URL": self.chat.url}
        return open_sinks(
            read_sinks("sinks.yaml", SINKS.replace("PORT", str(port))),
            lambda reference: read_secret(reference, environment),
            SystemClock().now,
            "sinks.yaml",
        )

    def after(self, millis: int) -> int:
        return self.worker.drain(self.sandbox.clock.move(millis))

    def effects(self, rule: str) -> list[Effect]:
        return self.sandbox.effects(rule=rule)


def promoted(policy: dict[str, str]) -> Sandbox:
    """Return a sandbox whose policy is live and whose rules a person has let act."""
    sandbox = Sandbox(policy, virtual=False)
    for rule in ("page", "tell", "chat", "thank", "move"):
        promote(sandbox.store, sandbox.engine, rule, "act", sandbox.clock.now(), actor="me", reason="test")
    return sandbox


def texts(url: str) -> dict[str, str]:
    return {"fields.yaml": FIELDS, "people.yaml": PEOPLE.replace("URL", url), "rules.yaml": RULES}


@pytest.fixture
def house() -> Iterator[House]:
    with mail_server() as (office, port), receiver() as hooks, receiver() as chat:
        found = House(office, port, hooks, chat)
        yield found
        found.worker.close()
        found.sink.close()


def test_each_action_reaches_its_place_once_with_its_words(house: House) -> None:
    house.sandbox.create("1", Subject="It is <b>down</b>", ContactEmail="kim@customer.net", CaseNumber="77")
    assert house.after(3 * HOUR) == 4
    thanks, late = house.office.mails
    assert (thanks["To"], thanks["Subject"]) == ("kim@customer.net", "We have it")
    assert thanks.get_content().strip() == "Thank you for It is <b>down</b>."
    assert (late["To"], late["Subject"]) == ("ann@example.com", "Late: It is <b>down</b>")
    assert "Why: " in late.get_content()
    assert "https://crm.example.com/1" in late.get_content()
    (request,) = house.hooks.requests
    body = Webhook(SECRET).verify(request.body, dict(request.headers))
    assert (body["data"]["fields"], body["data"]["with"]) == ({"number": "77"}, {"part": "case"})
    (said,) = house.chat.requests
    assert json.loads(said.body)["text"].startswith("Late: It is &lt;b&gt;down&lt;/b&gt;\n")
    assert house.after(10 * HOUR) == 0


def test_an_action_that_nobody_can_do_is_a_dead_letter_with_what_to_do(house: House) -> None:
    house.sandbox.create("1", Subject="x", ContactEmail="kim@customer.net")
    house.after(4 * HOUR)
    (dead,) = house.effects("move")
    assert dead.state == "dead"
    assert dead.error == "no sink takes reassign to user:005B: add a route for it to sinks.yaml"


@pytest.mark.parametrize(
    ("behave", "state", "words"),
    [
        (answer(500, b"database is down"), "dead", "hooks/page: 500 database is down"),
        (answer(429, b"slow down", Retry_After="60"), "dead", "hooks/page: 429 slow down"),
        (answer(400, b"unknown part"), "dead", "hooks/page: 400 unknown part"),
        (answer(302, Location="http://169.254.169.254/meta"), "dead", "redirects are not followed"),
        (answer(307, Location="http://127.0.0.1:1/"), "dead", "redirects are not followed"),
        (hang, "dead", "localhost: no answer within 0.3 s"),
        (reset, "dead", "Connection reset by peer"),
        (flood, "dead", "hooks/page: 400 xxxx"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut"), "done", ""),
        (answer(409), "done", ""),
    ],
    ids=["500", "429", "400", "to-metadata", "to-loopback", "hangs", "resets", "huge", "truncated", "duplicate"],
)
def test_nothing_is_lost_on_a_receiver_that_misbehaves(house: House, behave: Behave, state: str, words: str) -> None:
    house.hooks.otherwise = behave
    house.sandbox.create("1", "2")
    for _ in range(6):
        house.after(HOUR)
    found = house.effects("page")
    assert [effect.state for effect in found] == [state, state]
    assert all(words in effect.error for effect in found)
    assert {request.headers["webhook-id"] for request in house.hooks.requests} == {one.action.key for one in found}


def test_a_dead_letter_is_sent_again_by_a_person_and_arrives(house: House) -> None:
    house.hooks.otherwise = answer(500, b"down")
    house.sandbox.create("1")
    for _ in range(6):
        house.after(HOUR)
    (dead,) = house.effects("page")
    house.hooks.otherwise = answer(200)
    with house.sandbox.store.write() as unit:
        unit.outbox.change([dead.action.key], "ready", run_at=house.sandbox.clock.now())
    house.after(1)
    assert [effect.state for effect in house.effects("page")] == ["done"]


def test_the_wait_that_a_receiver_asks_for_is_kept(house: House) -> None:
    house.hooks.behaviours = [answer(429, Retry_After="1800"), answer(503, Retry_After="600")]
    house.sandbox.create("1")
    house.after(HOUR)
    (waiting,) = house.effects("page")
    assert waiting.run_at - house.sandbox.clock.now() == 1800 * SECOND
    house.after(1800 * SECOND - 1)
    assert len(house.hooks.requests) == 1
    house.after(1)
    (waiting,) = house.effects("page")
    assert waiting.run_at - house.sandbox.clock.now() == 600 * SECOND
    house.after(600 * SECOND)
    assert house.effects("page")[0].state == "done"


def test_many_notices_to_one_person_are_one_mail_that_lists_them(house: House) -> None:
    house.sandbox.create(*"12345", Subject="x")
    house.after(2 * HOUR)
    late = [mail for mail in house.office.mails if mail["To"] == "ann@example.com"]
    assert [mail["Subject"] for mail in late] == ["5 records to look at"]
    assert [line.split(",")[0] for line in late[0].get_content().splitlines()[:5]] == [
        f"Case {number}: tell" for number in "12345"
    ]
    assert Counter(effect.state for effect in house.effects("tell")) == {"superseded": 4, "done": 1}


def test_a_policy_that_takes_its_leave_back_stops_what_was_planned_under_it(house: House) -> None:
    """The allow-lists of the policy in force when it is sent count, not those of when it was decided."""
    house.sandbox.create("1", Subject="x", ContactEmail="kim@customer.net")
    strict = texts(house.hooks.url)["people.yaml"].replace("customer_contact: true", "customer_contact: false")
    strict = strict.replace("recipient_domains: [example.com]", "recipient_domains: [other.example]")
    house.sandbox.publish({**texts(house.hooks.url), "people.yaml": strict}, virtual=False)
    house.after(2 * HOUR)
    assert house.office.mails == []
    states = {effect.state for effect in house.effects("thank") + house.effects("tell")}
    assert states <= {"dead", "suppressed", "cancelled"}


def test_a_mail_server_that_comes_back_gets_every_mail_once(house: House) -> None:
    house.office.to_data = ["451 4.3.0 later"] * 2
    house.sandbox.create("1", Subject="x", ContactEmail="kim@customer.net")
    house.after(2 * HOUR)
    house.after(HOUR)
    house.after(HOUR)
    assert Counter(mail["To"] for mail in house.office.mails) == {"kim@customer.net": 1, "ann@example.com": 1}


def test_a_stop_between_two_mails_holds_the_second_back(house: House) -> None:
    def halt() -> None:
        stop(house.sandbox.store, house.sandbox.clock.move(SECOND), actor="me")

    house.office.on_data = halt
    house.sandbox.create("1", "2", Subject="x", ContactEmail="a@b.c")
    house.sandbox.create("3", Subject="x", ContactEmail="d@e.f")
    house.after(MINUTE)
    assert len(house.office.mails) == 1


def test_a_worker_of_another_organisation_reaches_nobody(house: House) -> None:
    sink = house.opened(free_port())
    with pytest.raises(SinkRefused, match="organisation ''"):
        sink.send(action(target="role:ops"))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[Path, Path, PostOffice, Receiver]]:
    """A policy folder and a sinks file on disk, and their secrets in files."""
    with mail_server() as (office, port), receiver() as hooks:
        folder = tmp_path / "policy"
        folder.mkdir()
        for name, text in texts(hooks.url).items():
            (folder / name).write_text(text)
        file = tmp_path / "sinks.yaml"
        text = SINKS.replace("PORT", str(port)).replace("acme", "default")
        for name, secret in (("PAGE_SECRET", SECRET), ("CHAT_URL", hooks.url)):
            (tmp_path / name).write_text(secret + "\n")
            text = text.replace(f"env:{name}", f'"file:{tmp_path / name}"')
        file.write_text(text)
        yield folder, file, office, hooks


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(str(end.value.code or 0)), printed.out, printed.err


def test_a_test_message_is_shown_and_sent(files, capsys) -> None:
    folder, file, office, hooks = files
    mail = ("sinks", "test", "mail", "--to", "address:ann@example.com", "--sink", file, "--policy", folder)
    code, out, _ = said(capsys, *mail, "--yes")
    assert (code, len(office.mails)) == (0, 1)
    assert "A test message of triage" in out
    assert "sent: mail: taken for 1 of 1" in out
    code, out, _ = said(
        capsys, "sinks", "test", "hooks", "--to", "webhook:page", "--sink", file, "--policy", folder, "--yes", "--json"
    )
    assert json.loads(out) == {"sent": True, "detail": "hooks/page: 200"}
    assert said(capsys, "sinks", "test", "ops", "--sink", file, "--policy", folder, "--yes")[0] == 0
    assert len(hooks.requests) == 2


def test_a_test_message_is_not_sent_without_asking_nor_past_the_allow_list(files, capsys) -> None:
    folder, file, office, _ = files
    arguments = ("sinks", "test", "mail", "--sink", file, "--policy", folder, "--to")
    asked = CliRunner().invoke(cli, [*map(str, arguments), "address:ann@example.com"], input="n\n")
    assert (asked.exit_code, "send it?" in asked.output) == (1, True)
    code, _, err = said(capsys, *arguments, "address:ann@evil.net", "--yes")
    assert (code, "not among safety.recipient_domains" in err) == (2, True)
    code, _, err = said(capsys, "sinks", "test", "mial", "--sink", file)
    assert (code, "has no sink 'mial'" in err) == (2, True)
    assert office.mails == []


def test_the_doctor_names_a_sink_that_lacks_something(files, capsys, tmp_path) -> None:
    folder, file, office, hooks = files
    db = ("--db", tmp_path / "t.db")
    assert said(capsys, "policy", "publish", "--policy", folder, *db)[0] == 0
    lines = {line["name"]: line for line in doctored(capsys, folder, file, db)}
    assert {lines[f"sink {name}"]["mark"] for name in ("mail", "hooks", "ops")} == {"ok"}
    assert (office.mails, hooks.requests) == ([], [])
    (tmp_path / "PAGE_SECRET").unlink()
    text = file.read_text().replace("[default]", "[other]")
    file.write_text(re.sub(r"port: \d+", f"port: {free_port()}", text))
    lines = {line["name"]: line for line in doctored(capsys, folder, file, db)}
    assert "PAGE_SECRET cannot be read, or holds nothing" in lines["sink hooks"]["found"]
    assert "Connection refused" in lines["sink mail"]["found"]
    assert "'default' may not send" in lines["sinks"]["found"]


def doctored(capsys, folder, file, db) -> list[dict[str, str]]:
    _, out, err = said(capsys, "doctor", "--policy", folder, "--sink", file, *db, "--json")
    assert not err
    return [json.loads(line) for line in out.splitlines()]


def test_a_worker_is_run_from_a_sinks_file(files, capsys, tmp_path) -> None:
    folder, file, office, _ = files
    db = ("--db", tmp_path / "t.db")
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"at":"2026-01-12T09:00:00Z","type":"created","object":"Case","id":"1","changes":{"Subject":"x"}}\n'
    )
    assert said(capsys, "policy", "publish", "--policy", folder, *db)[0] == 0
    assert said(capsys, "ingest", log, "--live-from", "2026-01-01T00:00:00Z", *db)[0] == 0
    assert said(capsys, "run", "--drain", "--sink", file, *db)[:2] == (0, "0 actions done\n")
    assert office.mails == []
    (tmp_path / "CHAT_URL").write_text("")
    code, _, err = said(capsys, "run", "--drain", "--sink", file, *db)
    assert (code, err) == (2, f"sink 'ops': the secret file:{tmp_path}/CHAT_URL cannot be read, or holds nothing\n")


def test_sinks_are_listed_with_their_routes(files, capsys) -> None:
    _, file, _, _ = files
    _, out, _ = said(capsys, "sinks", "list", "--sink", file, "--json")
    assert [json.loads(line)["sink"] for line in out.splitlines()] == ["ops", "mail", "hooks"]
    assert said(capsys, "sinks", "list", "--sink", "store")[0] == 2
    told = Path(file).with_name("told.yaml")
    told.write_text(Path(file).read_text() + "decisions: [{sink: hooks, webhook: page, events: would_have}]\n")
    _, out, _ = said(capsys, "sinks", "list", "--sink", told)
    assert "hooks tells page of decisions of all rules: would_have" in out


def test_the_shipped_sinks_file_opens(tmp_path) -> None:
    file = Path(__file__).parents[2] / "configs" / "sinks.yaml"
    found = read_sinks("sinks.yaml", file.read_text())
    assert {sink.kind for sink in found.sinks.values()} == {"smtp", "webhook", "chat", "jsonl"}
    kinds = {"notify", "acknowledge", "reassign", "move", "reprioritise", "set", "custom"}
    assert {kind for kind in kinds if any(route.takes(kind, "user:1") for route in found.routes)} == kinds
    assert open_sink("store").name == "store"
