"""What may be reached: listed hosts, public addresses, and the very address that was looked at."""

from __future__ import annotations

import pytest

from tests.unit.sinks.letters import OPEN, message
from tests.unit.sinks.receivers import receiver
from triage.domain.message import Limits, Message
from triage.errors import SinkBusy, SinkRefused
from triage.sinks.guard import check_customer, is_public, place_of, resolve

HOOKS = Limits(webhook_hosts=("hooks.example.com", "odd.example.com:8443"))


def looked_up(*addresses: str):
    """A resolver that knows one answer."""
    return lambda host, port: addresses


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "localhost", "",
    ],
)  # fmt: skip
def test_a_private_address_is_not_public_however_it_is_written(address: str) -> None:
    assert not is_public(address)


def test_a_listed_host_at_a_public_address_may_be_reached() -> None:
    place = place_of("https://hooks.example.com/a/b?c=d", HOOKS, looked_up("93.184.216.34"))
    assert (place.host, place.port, place.secure, place.path) == ("hooks.example.com", 443, True, "/a/b?c=d")
    assert place.addresses == ("93.184.216.34",)


@pytest.mark.parametrize("url", ["https://odd.example.com:8443/", "http://HOOKS.example.com.:8080"])
def test_a_port_counts_where_the_list_names_one(url: str) -> None:
    assert place_of(url, HOOKS, looked_up("93.184.216.34")).port in (8443, 8080)


@pytest.mark.parametrize(
    "url", ["https://evil.example.com/", "https://odd.example.com/", "https://hooks.example.com.evil.net/"]
)
def test_a_host_that_is_not_listed_is_refused(url: str) -> None:
    with pytest.raises(SinkRefused, match=r"is not among safety\.webhook_hosts"):
        place_of(url, HOOKS, looked_up("93.184.216.34"))


@pytest.mark.parametrize(
    "url",
    [
        "", "file:///etc/passwd", "gopher://hooks.example.com/", "https://", "https://hooks.example.com@evil.net/",
        "https://u:p@hooks.example.com/", "https://hooks.example.com/\r\nHost: evil", "https://hooks.example.com:99999/",
        "https://[::1", "https://höoks.example.com/", "//hooks.example.com/x",
    ],
)  # fmt: skip
def test_an_unusual_address_is_refused(url: str) -> None:
    with pytest.raises(SinkRefused, match="web address"):
        place_of(url, HOOKS, looked_up("93.184.216.34"))


@pytest.mark.parametrize("answers", [("127.0.0.1",), ("93.184.216.34", "10.0.0.1")])
def test_a_listed_host_at_any_private_address_is_refused(answers: tuple[str, ...]) -> None:
    with pytest.raises(SinkRefused, match="private address"):
        place_of("https://hooks.example.com/", HOOKS, looked_up(*answers))


def test_a_private_address_is_reached_where_the_policy_lists_the_host() -> None:
    allowed = Limits(webhook_hosts=("hooks.example.com",), private_hosts=("hooks.example.com",))
    assert place_of("http://hooks.example.com/", allowed, looked_up("10.0.0.1")).addresses == ("10.0.0.1",)
    with pytest.raises(SinkRefused, match="webhook_hosts"):
        place_of("http://hooks.example.com/", Limits(private_hosts=("hooks.example.com",)), looked_up("10.0.0.1"))


def test_a_name_that_cannot_be_resolved_may_be_so_later() -> None:
    def nobody(host: str, port: int) -> tuple[str, ...]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(SinkBusy, match=r"hooks.example.com cannot be resolved: Name or service not known"):
        place_of("https://hooks.example.com/", HOOKS, nobody)


def test_the_machines_resolver_gives_each_address_once() -> None:
    found = resolve("localhost", 80)
    assert "127.0.0.1" in found
    assert len(found) == len(set(found))


def test_a_place_says_its_host_and_nothing_secret() -> None:
    with receiver() as one:
        assert str(place_of(one.url + "?token=secret", OPEN)) == "localhost"


def test_words_to_a_customer_need_the_policys_leave() -> None:
    check_customer(message(customer=True))
    check_customer(Message())
    with pytest.raises(SinkRefused, match="allow_customer_contact"):
        check_customer(Message(customer=True))
