"""Webhooks go to the internet, to the address that was checked, and nowhere else."""

import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from tests.fake_network import FakeNetwork
from webhooks import wire
from webhooks.tests.receiver import Receiver
from webhooks.wire import Answer


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
def test_an_invalid_url_is_refused_at_once(url: str) -> None:
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


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.codes, receiver.headers = [307], {"Location": receiver.url}
    answer = async_to_sync(wire.post)(receiver.url, b"{}", {})
    assert (answer.code, len(receiver.got)) == (307, 1)
    assert "aren't followed" in answer.error


def test_the_proxy_of_the_environment_is_not_asked(receiver: Receiver, settings: Any) -> None:
    settings.OUTGOING_PROXIES = {"http": "http://127.0.0.1:9", "no": ""}
    assert async_to_sync(wire.post)(receiver.url, b"{}", {}).code == 200


def test_only_the_beginning_of_an_endless_response_is_read(receiver: Receiver) -> None:
    receiver.codes, receiver.body = [500], b"no\n " * 1_000_000
    answer = async_to_sync(wire.post)(receiver.url, b"{}", {})
    assert answer.code == 500
    assert len(answer.error) == wire.SHOWN_AT_MOST


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error": "no\\u0000"}', '{"error": "no\\u0000"}'),
        (b"a\x00b\x1b[31m\xff\r\n", "ab [31m\ufffd"),
        ("invoice\u202egpj.exe\u2066".encode(), "invoicegpj.exe"),
        (b"<html><title>x</title><h1>Bad &lt;Gateway&gt;</h1><script>alert(1)</script></html>", "Bad <Gateway>"),
        (b"", ""),
    ],
)
def test_a_rejection_is_shown_as_one_clean_line(receiver: Receiver, body: bytes, shown: str) -> None:
    receiver.codes, receiver.body = [500], body
    assert async_to_sync(wire.post)(receiver.url, b"{}", {}) == Answer(500, shown)


def test_the_code_of_a_rejection_that_breaks_off_is_kept(receiver: Receiver) -> None:
    receiver.codes, receiver.body, receiver.headers = [410], b"gone", {"Content-Length": "1000", "Connection": "close"}
    assert async_to_sync(wire.post)(receiver.url, b"{}", {}) == Answer(410, "gone")


def test_a_receiver_that_never_responds_times_out(receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOK_SECONDS = 0.2
    receiver.hold = threading.Event()
    assert "within 0.2 seconds" in async_to_sync(wire.post)(receiver.url, b"{}", {}).error


def test_a_port_where_nobody_listens_is_an_error_in_words(receiver: Receiver) -> None:
    answer = async_to_sync(wire.post)("http://127.0.0.1:9/", b"{}", {})
    assert answer.code is None
    assert "Can't connect" in answer.error


def test_plain_http_on_a_port_of_https_is_an_error_in_words(receiver: Receiver) -> None:
    answer = async_to_sync(wire.post)(receiver.url.replace("http:", "https:"), b"{}", {})
    assert answer.code is None
    assert answer.error


def test_the_error_does_not_tell_what_is_in_our_own_network(network: FakeNetwork, settings: Any) -> None:
    """Whether a name exists there, and where it leads, reads the same as a name that doesn't exist."""
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    network.away = {"93.184.216.34"}
    inner = [["10.1.2.3"], ["127.0.0.1", "::1"], ["169.254.169.254"], ["10.1.2.3", "93.184.216.34"], []]
    network.addresses = lambda host: inner[int(host[0])]
    errors = {async_to_sync(wire.post)(f"https://{number}.corp.test/", b"{}", {}).error for number in range(len(inner))}
    assert errors == {wire.UNREACHABLE}
