"""The web process: the webhook on its own, hosts, and SIGTERM."""

import contextlib
import socket
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from conversations.models import ConversationMessage
from tests.faults.processes import wait_until
from whatsapp.tests.factories import inbound

from .client import delivery, head, message_body, ok
from .conftest import Clients, WebProcess, WebProcesses

pytestmark = pytest.mark.xdist_group("web_server")


def test_the_webhook_has_no_cookies_and_a_length(connect: Clients) -> None:
    client = connect().send(delivery(message_body(inbound()), "Connection: close"))
    raw = b"".join(iter(lambda: client.socket.recv(4096), b"")).lower()
    assert raw.endswith(b'content-length: 11\r\n\r\n{"ok":true}') or b"\r\ncontent-length: 11\r\n" in raw
    assert b"set-cookie" not in raw
    assert b"content-security-policy" not in raw


def test_a_host_that_is_not_allowed_is_refused_by_the_webhook_too(connect: Clients) -> None:
    foreign = delivery(message_body(inbound())).replace(b"Host: 127.0.0.1", b"Host: other.example.com")
    assert connect().send(foreign).status == 400
    assert ConversationMessage.objects.count() == 0


def test_the_webhooks_own_process_serves_nothing_else(connect: Clients, started: WebProcesses) -> None:
    alone = started("config.wsgi:webhook")
    assert ok([connect(alone).send(delivery(message_body(inbound()))).response()])
    assert connect(alone).send(head("/readyz", method="GET")).status == 503  # no worker
    assert connect(alone).send(head("/admin/login/", method="GET")).status == 404


def test_static_files_are_served(connect: Clients, started: WebProcesses) -> None:
    found = finders.find("admin/css/base.css")
    assert found
    response = connect(started(DEBUG="true")).send(head("/static/admin/css/base.css", method="GET")).response()
    assert response == (200, Path(found).read_bytes())


def test_on_sigterm_a_request_that_has_begun_is_answered(connect: Clients, started: WebProcesses) -> None:
    web = started(WEB_REQUEST_SECONDS="60")
    body = message_body(inbound())
    whole = delivery(body)
    client = connect(web).send(whole[:-10])
    idle = connect(web)
    web.process.terminate()
    wait_until(lambda: _is_closed(web))
    assert ok([client.send(whole[-10:]).response()])
    assert client.is_closed()
    assert idle.is_closed()
    assert web.process.wait(60) == 0
    assert ConversationMessage.objects.count() == 1


def _is_closed(web: WebProcess) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", web.port), 1):
        return False
    return True
