"""The sample organisation inside the Salesforce sandbox: people write there, and the worker reads and acts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from triage.domain.decision import Action
from triage.domain.instant import HOUR
from triage.domain.message import UNWRITTEN, Message
from triage.domain.work import Event
from triage.intaking import Door
from triage.ports import Clock, Receipt
from triage.rules.document import PolicyDocument
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.feed import Feed
from triage.salesforce.package import LOG
from triage.salesforce.presence import Presence
from triage.salesforce.reading import Reader
from triage.salesforce.sandbox import Sandbox
from triage.salesforce.sandbox.seeding import Story, move_in
from triage.salesforce.settings import read_connection
from triage.salesforce.writer import SalesforceSink
from triage.sample import Organisation
from triage.testing import ManualClock, RecordingSink
from triage.wiring import SystemClock
from triage.worker import Worker

SEEN_AGAIN = 12 * HOUR
"""How often, in virtual ms, comments and presence are asked for, besides when somebody has come, gone or commented."""

SEEN_WITHIN = 5_000
"""How long, in ms of real time, a change event may take from the organisation to us before the play gives up."""


class Inside:
    """A sandbox with the sample organisation in it, and our own client, source and sink at its door."""

    def __init__(self, organisation: Organisation, document: PolicyDocument, clock: Clock, folder: Path) -> None:
        """Start the sandbox by *clock*, move everybody in, and log in."""
        real = SystemClock()
        self._document = document
        self._clock = clock
        self._there = ManualClock(clock.now())
        self.sandbox = Sandbox(folder, self._there.now, real_now=real.now).start()
        move_in(self.sandbox.org, organisation)
        self._story = Story(self.sandbox.org)
        settings = {**self.sandbox.environment(), "CALLS_PER_SECOND": "1000", "DEPLOYMENT": "demo"}
        self.client = Client(read_connection(settings), real.now, real.wait)
        self.post = RecordingSink(live=False, name="post")
        deployment = Deployment(self.client, "demo")
        self.sink = Witness(SalesforceSink(self.client, deployment, clock.now, live=False, others=self.post))
        self._feed: Feed | None = None

    def begin(self, worker: Worker) -> None:
        """Read what is there, and subscribe to what changes."""
        reader = Reader(self.client, self._document)
        presence = Presence(self.client)
        self._feed = Feed(
            self.client, reader, Door(worker), self._clock, presence=presence, live_from=0, every=SEEN_AGAIN
        )
        self._feed.begin()

    def write(self, events: Iterable[Event]) -> tuple[Event, ...]:
        """Let people do in the organisation what *events* say; return what happens elsewhere: scores."""
        left: list[Event] = []
        for event in events:
            self._there.set(max(event.at, self._there.now()))
            left += self._story.write([event])
            if event.type in ("agent", "comment") and self._feed is not None:
                self._feed.look_again()
        self._there.set(self._clock.now())
        return tuple(left)

    def read(self) -> int:
        """Take in all that has changed there by now; return how many effects that made ready."""
        if self._feed is None:
            return 0
        before = self._feed.taken.planned
        newest = self.sandbox.org.log[-1].replay if self.sandbox.org.log else 0
        self._feed.round()
        for _ in range(SEEN_WITHIN // 50):
            if int(self._feed.position.replay or "0", 16) >= newest:
                break
            self._feed.round(50)
        return self._feed.taken.planned - before

    @property
    def taken(self) -> tuple[int, int, int, int]:
        """Return how many events were read, accepted, repeated and refused."""
        found = self._feed.taken if self._feed is not None else None
        return (0, 0, 0, 0) if found is None else (found.read, found.accepted, found.repeated, found.refused)

    def logged(self) -> int:
        """Return how many actions the organisation's log object holds."""
        return len(self.sandbox.org.rows[LOG])

    def calls(self) -> int:
        """Return how many API calls the worker has made."""
        return self.client.gate.calls

    def close(self) -> None:
        """Log out, and stop the sandbox."""
        if self._feed is not None:
            self._feed.close()
        self.sink.close()
        self.sandbox.stop()


class Witness:
    """A sink that sends on to another one, and remembers what was done."""

    name = "demo"
    live = False

    def __init__(self, inner: SalesforceSink) -> None:
        self._inner = inner
        self.done: dict[str, Action] = {}

    def remembers(self, action: Action) -> bool:
        """Return what the other one does; nothing here is killed between an answer and its note."""
        return True

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """Send on, and remember *action* once it is done."""
        receipt = self._inner.send(action, message)
        self.done[action.key] = action
        return receipt

    def close(self) -> None:
        """Close the other one."""
        self._inner.close()
