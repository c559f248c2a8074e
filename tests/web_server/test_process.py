"""The web process: the webhook on its own, hosts, and SIGTERM."""

import contextlib
import json
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


def test_on_sigterm_readiness_turns_red_while_requests_are_still_answered(
    connect: Clients, started: WebProcesses
) -> None:
    web = started(WEB_DRAIN_SECONDS="60")
    web.process.terminate()
    wait_until(lambda: b'"stopping": true' in connect(web).send(head("/readyz", method="GET")).response()[1])
    assert connect(web).send(head("/readyz", method="GET")).status == 503
    assert ok([connect(web).send(delivery(message_body(inbound()))).response()])
    assert web.process.is_running


def test_it_stops_when_it_has_drained(started: WebProcesses) -> None:
    web = started(WEB_DRAIN_SECONDS="0.5")
    web.process.terminate()
    assert web.process.wait(60) == 0


def test_during_maintenance_pages_and_api_say_so_and_the_webhook_goes_on(
    connect: Clients, started: WebProcesses
) -> None:
    web = started(MAINTENANCE_MESSAGE="We're <moving> house. Back at 10:00.")
    page = connect(web).send(head("/admin/", method="GET")).response()
    assert page[0] == 503
    assert "We&#x27;re &lt;moving&gt; house. Back at 10:00." in page[1].decode()
    api = connect(web).send(head("/api/conversations/", method="GET")).response()
    assert (api[0], json.loads(api[1])) == (503, {"detail": "We're <moving> house. Back at 10:00."})
    assert connect(web).send(head("/healthz", method="GET")).status == 200
    assert ok([connect(web).send(delivery(message_body(inbound()))).response()])


def _is_closed(web: WebProcess) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", web.port), 1):
        return False
    return True
