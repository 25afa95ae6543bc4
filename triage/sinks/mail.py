"""E-mail over SMTP: one message an action, to checked addresses only, marked as automatic: nothing answers it."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Literal, cast

from msgspec import Struct

from triage.domain.decision import Action
from triage.domain.instant import SECOND, to_datetime
from triage.domain.message import UNWRITTEN, Message
from triage.errors import SinkBusy, SinkError, SinkRefused
from triage.ports import Receipt
from triage.sinks.guard import check_customer
from triage.sinks.post import plain_words
from triage.sinks.within import within

ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
"""One plain address: no name beside it, no second one, no quoting."""

ADDRESS_MOST = 254
RECIPIENTS_MOST = 50
"""The most people whom one message goes to."""


class Server(Struct, frozen=True, kw_only=True):
    """
    The mail server. `security`: `starttls`, `tls` from the first byte, or `none`, which allows no login.

    `timeout` is ms for a whole conversation. `password` stands in no text of this struct.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = ""
    timeout: int = 30 * SECOND

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port}, {self.security})"


class MailSink:
    """
    Sends notices and acknowledgements.

    SMTP knows no keys: after a crash between sending and noting it down, one mail may come twice, with the same
    Message-ID, which is made from the action's key.
    """

    live = True

    def __init__(
        self,
        name: str,
        server: Server,
        sender: str,
        now: Callable[[], int],
        *,
        recipients: Mapping[str, tuple[str, ...]] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            now: What time it is, ms UTC, for the Date.
            recipients: Addresses of targets such as `role:duty-manager`, before what the policy knows.
        """
        self.name = name
        self.sender = sender
        self._server = server
        self._now = now
        self._recipients = dict(recipients or {})
        self._tls = tls or ssl.create_default_context()

    def remembers(self, action: Action) -> bool:
        """Return False."""
        return False

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """
        Return the server's last word once it has taken the mail for at least one recipient.

        Raises:
            SinkRefused: nobody who may be written to, or a 5xx about this mail, in the server's words.
            SinkBusy: any other trouble, of the connection or login too.
        """
        if action.kind not in ("notify", "acknowledge"):
            raise SinkRefused(f"{self.name}: e-mail is for notify and acknowledge, not for {action.kind}")
        to = self._allowed(action, message)
        mail = letter(action, message, self.sender, to, self._now())
        with self._talking() as server:
            refused = self._hand_over(server, mail, to)
        lost = "; ".join(f"{who} refused: {code} {plain_words(words)}" for who, (code, words) in refused.items())
        return Receipt(detail=f"{self.name}: taken for {len(to) - len(refused)} of {len(to)}{lost and '; '}{lost}")

    def probe(self) -> str:
        """Return "" where the server can be reached and lets us in, else what it said. No mail is sent."""
        try:
            with self._talking() as server:
                server.noop()
        except SinkError as cause:
            return str(cause)
        except (OSError, smtplib.SMTPException) as cause:
            return self._said(cause)
        return ""

    def close(self) -> None:
        """Hold nothing, so let go of nothing: each mail has a connection of its own."""

    def _allowed(self, action: Action, message: Message) -> tuple[str, ...]:
        """Return the addresses to write to; raise SinkRefused where there are none, or one of them is not allowed."""
        found = self._recipients.get(action.target, message.to)
        check_customer(message)
        if not found:
            raise SinkRefused(
                f"{self.name}: {action.target or 'nobody'} has no e-mail address: give it one in the directory, "
                "or under recipients in the sinks file"
            )
        if len(found) > RECIPIENTS_MOST:
            raise SinkRefused(f"{self.name}: {action.target} is {len(found)} people; a mail goes to {RECIPIENTS_MOST}")
        for address in found:
            self._check(address, () if message.customer else message.limits.recipient_domains, message.customer)
        return tuple(dict.fromkeys(found))

    def _check(self, address: str, domains: Collection[str], anywhere: bool) -> None:
        if len(address) > ADDRESS_MOST or not ADDRESS.fullmatch(address):
            raise SinkRefused(f"{self.name}: {plain_words(address.encode())[:80]!r} is not one plain mail address")
        if address.casefold() == self.sender.casefold():
            raise SinkRefused(f"{self.name}: {address} is our own address: it would write to itself")
        domain = address.rpartition("@")[2].casefold()
        if not anywhere and domain not in domains:
            raise SinkRefused(f"{self.name}: {domain} is not among safety.recipient_domains")

    @contextlib.contextmanager
    def _talking(self) -> Iterator[smtplib.SMTP]:
        """Give a server that knows us; what fails up to then is no fault of the mail, so it may go later."""
        server = self._unconnected()
        try:
            with within(self._server.timeout, lambda: getattr(server, "sock", None)):
                try:
                    self._greet(server)
                except (OSError, smtplib.SMTPException, ValueError) as cause:
                    raise SinkBusy(self._said(cause)) from cause
                yield server
        finally:
            server.close()

    def _unconnected(self) -> smtplib.SMTP:
        """Return a client that has not called yet, so that its first words are under the time limit too."""
        timeout, domain = self._server.timeout / SECOND, self.sender.rpartition("@")[2]
        server: Any
        if self._server.security == "tls":
            server = smtplib.SMTP_SSL(local_hostname=domain, timeout=timeout, context=self._tls)
        else:
            server = smtplib.SMTP(local_hostname=domain, timeout=timeout)
        # The name that a certificate is held against: smtplib learns it only where it calls by itself.
        server._host = self._server.host
        return cast(smtplib.SMTP, server)

    def _greet(self, server: smtplib.SMTP) -> None:
        code, words = server.connect(self._server.host, self._server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        server.ehlo_or_helo_if_needed()
        if self._server.security == "starttls":
            server.starttls(context=self._tls)
            server.ehlo_or_helo_if_needed()
        if self._server.username:
            server.login(self._server.username, self._server.password)

    def _hand_over(self, server: smtplib.SMTP, mail: EmailMessage, to: tuple[str, ...]) -> dict[str, tuple[int, bytes]]:
        """Return who of *to* was refused while others were not; raise SinkBusy or SinkRefused where nobody got it."""
        try:
            refused = server.send_message(mail, self.sender, to)
        except smtplib.SMTPRecipientsRefused as cause:
            codes = [code for code, _ in cause.recipients.values()]
            kind = SinkRefused if all(code >= 500 for code in codes) else SinkBusy
            words = "; ".join(f"{who}: {code} {plain_words(said)}" for who, (code, said) in cause.recipients.items())
            raise kind(f"{self.name}: {words[:1000]}") from cause
        except smtplib.SMTPResponseException as cause:
            kind = SinkRefused if 500 <= cause.smtp_code < 600 else SinkBusy
            raise kind(self._said(cause)) from cause
        except (OSError, smtplib.SMTPException) as cause:
            raise SinkBusy(self._said(cause)) from cause
        # The mail is taken: whether the server says goodbye as well changes nothing.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()
        return refused

    def _said(self, cause: Exception) -> str:
        where = f"{self.name}: {self._server.host}"
        if isinstance(cause, smtplib.SMTPResponseException):
            error = cause.smtp_error
            raw = error if isinstance(error, bytes) else str(error).encode()
            return f"{where}: {cause.smtp_code} {plain_words(raw)}"
        if isinstance(cause, TimeoutError):
            return f"{where}: no answer within {self._server.timeout / SECOND:g} s"
        words = getattr(cause, "strerror", None) or str(cause)
        return f"{where}: {plain_words(f'{type(cause).__name__}: {words}'.encode())}"


def letter(action: Action, message: Message, sender: str, to: tuple[str, ...], now: int) -> EmailMessage:
    """Return the mail: plain text only, so that no markup of a customer's can come alive."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = _line(message.subject)
    mail["Date"] = format_datetime(to_datetime(now))
    mail["Message-ID"] = f"<{action.key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    text = message.text if not message.footer else f"{message.text}\n\n-- \n{message.footer}"
    mail.set_content("".join(f"{_printable(line)}\n" for line in text.splitlines()), cte="quoted-printable")
    return mail


def _line(text: str) -> str:
    """Return *text* as a header can hold it: an encoded word in it would be decoded, line ends and all."""
    return _printable(text).replace("=?", "= ?")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
