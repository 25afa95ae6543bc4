"""A Slack-compatible incoming webhook: escaped text with its reason, at least once."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

import msgspec

from triage.domain.decision import Action
from triage.domain.instant import SECOND
from triage.domain.message import UNWRITTEN, Limits, Message
from triage.errors import SinkError, SinkRefused
from triage.ports import Receipt
from triage.sinks.guard import Resolve, place_of, resolve
from triage.sinks.post import judged, knock, post
from triage.sinks.rests import Rests

TEXT_MOST = 3_000
"""The longest text in characters; the rest is cut, and the link leads to all of it."""

_CALLS = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)


class ChatSink:
    """
    POSTs a notice to one channel. Nothing in it is formatting, a link or a mention of everybody.

    Chat knows no keys: after a crash between sending and noting it down, one message may come twice.
    """

    live = True

    def __init__(
        self,
        name: str,
        url: str,
        now: Callable[[], int],
        *,
        timeout: int = 10 * SECOND,
        look_up: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Args: url: The channel's own secret address; it stands in no message, log or error."""
        self.name = name
        self._url = url
        self._timeout = timeout
        self._rests = Rests(now)
        self._look_up = look_up
        self._tls = tls or ssl.create_default_context()

    def remembers(self, action: Action) -> bool:
        """Return False."""
        return False

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """Return what the channel said; raise SinkBusy or SinkRefused as `post.judged` says."""
        if action.kind != "notify" or message.customer:
            raise SinkRefused(f"{self.name}: chat is for notices to our own people")
        place = place_of(self._url, message.limits, self._look_up)
        body = msgspec.json.encode(
            {"text": chat_text(message), "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
        )
        headers = {"Content-Type": "application/json", "User-Agent": "triage"}
        with self._rests.unless(place.host):
            answer = post(place, body, headers, self._timeout, self._tls)
        return judged(answer, self.name)

    def probe(self, limits: Limits) -> str:
        """Return "" where the channel may be reached and is there, else what is wrong. Nothing is written."""
        try:
            return knock(place_of(self._url, limits, self._look_up), self._timeout, self._tls)
        except SinkError as cause:
            return str(cause)

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""


def chat_text(message: Message) -> str:
    """Return the subject, text and footer with `&`, `<`, `>` escaped and calls to everybody broken up."""
    text = "\n".join(part for part in (message.subject, message.text, message.footer) if part)
    if len(text) > TEXT_MOST:
        tail = f" …\n{message.footer}"[:TEXT_MOST]
        text = text[: TEXT_MOST - len(tail)] + tail
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub("@\u200b", escaped)
