"""
What may be reached over HTTP: hosts on the policy's list, at public addresses unless it says otherwise.

The answer holds the addresses that were looked at, and `post.py` connects to those: a name that points elsewhere a
moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from msgspec import Struct

from triage.domain.message import Limits, Message
from triage.errors import SinkBusy, SinkRefused

Resolve = Callable[[str, int], Collection[str]]
"""From a host and port to IP addresses as text; OSError where there are none."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_URL = re.compile(r"[!-~]{1,2000}")


class Place(Struct, frozen=True, kw_only=True):
    """Where to connect: one of `addresses`, and what to ask for there. Its text names the host and nothing secret."""

    host: str
    port: int
    secure: bool
    path: str
    addresses: tuple[str, ...]

    def __str__(self) -> str:
        return self.host


def resolve(host: str, port: int) -> Collection[str]:
    """Return the addresses of *host* as the machine's resolver gives them, each once; raise OSError where none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def place_of(url: str, limits: Limits, look_up: Resolve = resolve) -> Place:
    """
    Return where *url* leads, its addresses checked.

    Raises:
        SinkRefused: no http(s) address, a host that is not on the list, or one at a private address.
        SinkBusy: the name cannot be resolved now.
    """
    host, port, secure, path = _parts(url)
    names = {host, f"{host}:{port}"}
    if not names & set(limits.webhook_hosts):
        raise SinkRefused(f"{host} is not among safety.webhook_hosts")
    try:
        addresses = tuple(look_up(host, port))
    except (OSError, UnicodeError) as cause:
        raise SinkBusy(f"{host} cannot be resolved: {getattr(cause, 'strerror', None) or cause}") from cause
    private = [address for address in addresses if not is_public(address)]
    if private and not names & set(limits.private_hosts):
        raise SinkRefused(
            f"{host} has the private address {private[0]}: name it in safety.allow_private_hosts or not at all"
        )
    return Place(host=host, port=port, secure=secure, path=path, addresses=addresses)


def check_customer(message: Message) -> None:
    """Raise SinkRefused for words to a customer that the policy does not allow."""
    if message.customer and not message.limits.customer_contact:
        raise SinkRefused("messages to customers need allow_customer_contact: true under safety")


def is_public(address: str) -> bool:
    """Tell whether *address* lies in the public internet, looking through the ways of writing IPv4 in IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not found.is_reserved


def _parts(url: str) -> tuple[str, int, bool, str]:
    """Return host, port, whether it is https, and path with query; raise SinkRefused for anything unusual."""
    try:
        parts = urlsplit(url if _URL.fullmatch(url) else "")
        host, port = (parts.hostname or "").casefold().rstrip("."), parts.port
    except ValueError as cause:
        raise SinkRefused("the web address cannot be read") from cause
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise SinkRefused("the web address is not of the form https://host/path, without name and password")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port or (443 if secure else 80), secure, path
