"""Signed webhooks as Standard Webhooks has them: `webhook-id` is the action's key, so that a repeat is known."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from standardwebhooks import Webhook

from triage.domain.decision import Action
from triage.domain.instant import SECOND, format_instant, to_datetime
from triage.domain.message import UNWRITTEN, Limits, Message
from triage.errors import SinkError, SinkRefused
from triage.ports import Receipt
from triage.sinks.guard import Place, Resolve, check_customer, place_of, resolve
from triage.sinks.post import judged, knock, post
from triage.sinks.rests import Rests

_encode = msgspec.json.Encoder(order="sorted").encode


class WebhookSink:
    """
    POSTs each action as signed JSON to the webhook it is for, at least once; the receiver tells repeats by the key.

    Every webhook has a secret of its own: whoever gets one message could sign others with a shared one.
    """

    live = True

    def __init__(
        self,
        name: str,
        secrets: Mapping[str, str],
        now: Callable[[], int],
        *,
        default: str = "",
        fields: tuple[str, ...] = (),
        timeout: int = 10 * SECOND,
        look_up: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            secrets: By webhook name, as `whsec_` and base64.
            now: What time it is, ms UTC, for the signature.
            default: The webhook for actions that are for nobody's webhook, such as reassign.
            fields: The record's fields that go along, by our names.
        """
        self.name = name
        self._keys = {webhook: Webhook(secret) for webhook, secret in secrets.items()}
        self._now = now
        self._default = default
        self._fields = fields
        self._timeout = timeout
        self._rests = Rests(now)
        self._look_up = look_up
        self._tls = tls or ssl.create_default_context()

    def remembers(self, action: Action) -> bool:
        """Return True: the receiver knows a key that it has done."""
        return True

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """Return what the receiver said; raise SinkBusy or SinkRefused as `post.judged` says."""
        check_customer(message)
        return self.post(self._webhook(action), action.key, payload(action, message, self._fields), message)

    def post(self, webhook: str, identity: str, given: Mapping[str, Any], reach: Message) -> Receipt:
        """
        Return what *webhook* said to *given*, signed under *identity*; raise as `send` does.

        Args:
            reach: Where the policy says that webhooks are, and which hosts it lets us reach.
        """
        place = self._place(webhook, reach)
        key = self._keys.get(webhook)
        if key is None:
            raise SinkRefused(f"{self.name}: the webhook {webhook!r} has no secret: name it under secrets")
        body = _encode(given)
        at = to_datetime(self._now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "triage",
            "webhook-id": identity,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": key.sign(identity, at, body.decode()),
        }
        with self._rests.unless(place.host):
            answer = post(place, body, headers, self._timeout, self._tls)
        return judged(answer, f"{self.name}/{webhook}")

    def probe(self, webhooks: Mapping[str, str], limits: Limits) -> str:
        """Return "" where every one of *webhooks* may be reached, is there and has a secret, else what is wrong."""
        return "; ".join(
            f"{name}: {wrong}" for name, url in sorted(webhooks.items()) if (wrong := self._wrong(name, url, limits))
        )

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""

    def _wrong(self, name: str, url: str, limits: Limits) -> str:
        if name not in self._keys:
            return "no secret: name it under secrets"
        try:
            return knock(place_of(url, limits, self._look_up), self._timeout, self._tls)
        except SinkError as cause:
            return str(cause)

    def _webhook(self, action: Action) -> str:
        kind, _, name = action.target.partition(":")
        return name if kind == "webhook" else self._default

    def _place(self, webhook: str, message: Message) -> Place:
        if webhook not in message.webhooks:
            raise SinkRefused(f"{self.name}: the policy's directory has no webhook {webhook!r}")
        return place_of(message.webhooks[webhook], message.limits, self._look_up)


def payload(action: Action, message: Message, fields: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the body of a webhook: what is to be done, why, and the words; `data.key` is the same at each repeat."""
    params = dict(action.params)
    data = {
        "key": action.key, "org": message.org, "object": action.object, "id": action.id, "rule": action.rule,
        "step": action.step, "action": action.kind, "target": action.target, "due": format_instant(action.due),
        "reason": message.reason, "with": params.pop("with", {}), "link": message.link,
    }  # fmt: skip
    if "digest" in params:
        lines = params.pop("digest")
        data["digest"] = [line | {"due": format_instant(line["due"])} for line in lines]
    if action.kind in ("notify", "acknowledge"):
        data |= {"subject": message.subject, "text": message.text}
    if fields:
        data["fields"] = {name: message.values.get(name) for name in fields}
    return {"type": f"triage.{action.kind}", "timestamp": format_instant(action.at), "data": data | {"params": params}}
