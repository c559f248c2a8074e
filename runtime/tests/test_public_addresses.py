"""The pinned client connects to public addresses only, whatever the URL looks like and whatever the name says later."""

import asyncio
import ipaddress
from typing import Any

import httpx2
import pytest

from runtime import http, public_addresses
from runtime.http import Kind, RequestFailed
from tests.fake_network import FakeNetwork
from tests.local_server import json_response, local_server, read_request

PUBLIC = ["93.184.216.34", "2606:4700::6810:84e5", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # the metadata service of most clouds
    "100.100.100.200",  # and of another
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
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
]


@pytest.fixture
def network(network: FakeNetwork) -> FakeNetwork:
    network.graph = lambda request: httpx2.Response(200, text="hello")
    return network


def fetched(url: str) -> bytes | RequestFailed:
    async def call() -> bytes | RequestFailed:
        try:
            async with http.stream("GET", url, pinned=True) as response:
                return await response.read()
        except RequestFailed as failure:
            return failure

    return asyncio.run(call())


def literal(address: str) -> str:
    return f"[{address.replace('%', '%25')}]" if ":" in address else address


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_allowed(network: FakeNetwork, address: str) -> None:
    assert public_addresses.is_allowed(ipaddress.ip_address(address))
    assert fetched(f"https://{literal(address)}/") == b"hello"


@pytest.mark.parametrize("address", PRIVATE)
def test_our_own_network_is_not_unless_a_setting_says_so(address: str, settings: Any) -> None:
    assert not public_addresses.is_allowed(ipaddress.ip_address(address))
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    assert public_addresses.is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_in_the_url_is_checked_though_no_name_is_looked_up(network: FakeNetwork, address: str) -> None:
    failure = fetched(f"https://{literal(address)}/")
    assert isinstance(failure, RequestFailed)
    assert failure.before_a_byte
    assert (network.looked_up, network.connected) == ([], [])


@pytest.fixture(params=["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1", "0177.0.0.1"])
def this_machine(request: pytest.FixtureRequest) -> str:
    """Spellings of this machine, some of which only the resolver understands."""
    return str(request.param)


def test_a_server_on_this_machine_is_not_connected_to(this_machine: str) -> None:
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await read_request(reader)
        writer.write(json_response(b"{}"))

    async def call() -> None:
        async with local_server(serve) as url:
            with pytest.raises(RequestFailed) as failed:
                async with http.stream("POST", url.replace("127.0.0.1", this_machine), pinned=True, data=b"{}"):
                    """There is no response."""
            assert failed.value.before_a_byte

    asyncio.run(call())
    assert connections == []


def test_the_connection_goes_to_the_address_that_was_checked(network: FakeNetwork) -> None:
    """DNS rebinding: the name leads elsewhere when it's looked up again."""
    answers = [["93.184.216.34"], ["127.0.0.1"], ["10.0.0.1"]]
    network.addresses = lambda host: answers.pop(0)
    assert fetched("https://shop.example:8443/hook?a=1") == b"hello"
    assert (network.looked_up, network.connected) == (["shop.example"], [("shop.example", "93.184.216.34")])
    for _ in range(2):
        failure = fetched("https://shop.example:8443/hook?a=1")
        assert isinstance(failure, RequestFailed)
        assert failure.kind is Kind.NOT_PUBLIC
    assert len(network.connected) == 1


def test_private_addresses_of_a_name_are_skipped(network: FakeNetwork) -> None:
    network.addresses = lambda host: ["10.0.0.1", "::1", "93.184.216.34"]
    assert fetched("https://shop.example/") == b"hello"
    assert network.connected == [("shop.example", "93.184.216.34")]


def test_the_next_address_is_tried_where_no_one_answers(network: FakeNetwork) -> None:
    network.away = {"2606:4700::6810:84e5"}
    network.addresses = lambda host: ["2606:4700::6810:84e5", "93.184.216.34"]
    assert fetched("https://shop.example/") == b"hello"
    assert network.connected == [("shop.example", "93.184.216.34")]


@pytest.mark.parametrize(("addresses", "kind"), [(["10.0.0.1", "::1"], Kind.NOT_PUBLIC), ([], Kind.NO_CONNECTION)])
def test_a_name_without_a_public_address_is_not_connected_to(
    network: FakeNetwork, addresses: list[str], kind: Kind
) -> None:
    network.addresses = lambda host: addresses
    failure = fetched("https://shop.example/")
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.before_a_byte, network.connected) == (kind, True, [])


def test_several_private_addresses_of_a_real_name_are_one_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the fake: how aiohttp reports one refusal per address."""

    async def resolve(self: Any, host: str, port: int = 0, family: Any = 0) -> list[dict[str, Any]]:
        both = ("127.0.0.1", "::1", "10.0.0.1")
        return [{"hostname": host, "host": one, "port": port, "family": 0, "proto": 0, "flags": 0} for one in both]

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
    failure = fetched("https://shop.example/")
    assert isinstance(failure, RequestFailed)
    assert (failure.kind, failure.detail) == (Kind.NOT_PUBLIC, "shop.example is not on the internet")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://user:word@example.com/",
        "https:///path",
        "https://example.com:port/",
        "https://[::1/",
        "https://localhost/x",
        "https://LOCALHOST./x",
        "https://hooks.localhost/x",
        "https://printer.local/x",
        "https://db.internal/x",
        "https://nosuch.invalid/x",
        "https://intranet/x",
        "",
    ],
)
def test_an_invalid_url_is_refused_at_once(url: str) -> None:
    assert public_addresses.flaw(url)
