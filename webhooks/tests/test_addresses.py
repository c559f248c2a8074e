"""Webhooks go to the internet, to the address that was looked at, and nowhere else."""

import ipaddress
import threading
from typing import Any

import httpx2
import pytest
from asgiref.sync import async_to_sync

from runtime import public_addresses
from webhooks import wire
from webhooks.tests.receiver import Receiver

PUBLIC = ["93.184.216.34", "2606:4700::6810:84e5", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # metadata of most clouds
    "100.100.100.200",  # of another
    "192.0.0.192",
    "168.63.129.16",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_allowed(address: str) -> None:
    assert public_addresses.is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_our_own_network_is_not_unless_a_setting_says_so(address: str, settings: Any) -> None:
    assert not public_addresses.is_allowed(ipaddress.ip_address(address))
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    assert public_addresses.is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://user:word@example.com/",
        "https:///path",
        "https://example.com:port/",
        "https://[::1/",
        "",
    ],
)
def test_a_url_that_cannot_be_is_refused_at_once(url: str) -> None:
    assert public_addresses.flaw(url)
    assert async_to_sync(wire.post)(url, b"{}", {}).code is None


# Spellings of this machine that only the resolver understands.
@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1"])
def test_a_name_of_this_machine_is_refused_when_it_is_resolved(host: str, receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    port = receiver.url.split(":")[2].split("/")[0]
    answer = async_to_sync(wire.post)(f"https://{host}:{port}/", b"{}", {})
    assert answer.code is None
    assert answer.error
    assert receiver.got == []


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The name's address is another each time it is asked for: the first answer, the second, …"""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    monkeypatch.setattr(public_addresses, "resolve", resolve)
    return asked


class Network(httpx2.AsyncBaseTransport):
    """Where connections would have gone."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.away: set[str] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.url.host in self.away:
            raise httpx2.ConnectError("nobody there")
        return httpx2.Response(200)


@pytest.fixture
def network() -> Any:
    network = Network()
    wire.set_transport(network)
    yield network
    wire.set_transport(None)


def test_a_name_that_changes_its_address_is_asked_once(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    asked = resolve_to(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    assert async_to_sync(wire.post)("https://shop.example:8443/hook?a=1", b"{}", {}).code == 200
    (request,) = network.requests
    assert asked == ["shop.example"]
    assert str(request.url) == "https://93.184.216.34:8443/hook?a=1"
    assert request.headers["Host"] == "shop.example:8443"
    assert request.extensions["sni_hostname"] == "shop.example"  # what the certificate must be of


def test_private_addresses_of_a_name_are_passed_over(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    resolve_to(monkeypatch, ["10.0.0.1", "::1", "93.184.216.34"])
    assert async_to_sync(wire.post)("https://shop.example/", b"{}", {}).code == 200
    assert [request.url.host for request in network.requests] == ["93.184.216.34"]


def test_the_next_address_is_tried_when_nobody_is_at_the_first(
    monkeypatch: pytest.MonkeyPatch, network: Network
) -> None:
    network.away = {"2606:4700::6810:84e5"}
    resolve_to(monkeypatch, ["2606:4700::6810:84e5", "93.184.216.34"])
    assert async_to_sync(wire.post)("https://shop.example/", b"{}", {}).code == 200
    assert [request.url.host for request in network.requests] == ["2606:4700::6810:84e5", "93.184.216.34"]


def test_a_name_without_an_address_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    resolve_to(monkeypatch, [])
    assert "not on the internet" in async_to_sync(wire.post)("https://shop.example/", b"{}", {}).error
    assert network.requests == []


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.codes, receiver.headers = [307], {"Location": receiver.url}
    answer = async_to_sync(wire.post)(receiver.url, b"{}", {})
    assert (answer.code, len(receiver.got)) == (307, 1)
    assert "not followed" in answer.error


def test_the_proxy_of_the_environment_is_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert async_to_sync(wire.post)(receiver.url, b"{}", {}).code == 200


def test_of_an_endless_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.codes, receiver.body = [500], b"no\n " * 1_000_000
    answer = async_to_sync(wire.post)(receiver.url, b"{}", {})
    assert answer.code == 500
    assert len(answer.error) == wire.SHOWN_AT_MOST


def test_whoever_never_answers_is_not_waited_for(receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOK_SECONDS = 0.2
    receiver.hold = threading.Event()
    assert "within 0.2 seconds" in async_to_sync(wire.post)(receiver.url, b"{}", {}).error


def test_a_port_where_nobody_listens_is_an_error_in_words(receiver: Receiver) -> None:
    answer = async_to_sync(wire.post)("http://127.0.0.1:9/", b"{}", {})
    assert answer.code is None
    assert "ConnectError" in answer.error


def test_plain_http_on_a_port_of_https_is_an_error_in_words(receiver: Receiver) -> None:
    answer = async_to_sync(wire.post)(receiver.url.replace("http:", "https:"), b"{}", {})
    assert answer.code is None
    assert answer.error
