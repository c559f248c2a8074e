"""A slow client costs a connection, not a thread, and not for long."""

import socket
import threading

import pytest
from django.db import connection, transaction

from config.web.connection import ClientSocket
from conversations.models import ConversationMessage
from tests.faults.processes import answers, wait_until
from whatsapp.tests.factories import inbound, text_message

from .client import WEBHOOK, RawClient, delivery, head, message_body, ok
from .conftest import Clients, WebProcess

pytestmark = pytest.mark.xdist_group("web_server")

SLOW = {
    "head": b"POST /api/whatsapp/webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    "body": head(WEBHOOK, "Content-Length: 100000"),
    "chunk": head(WEBHOOK, "Transfer-Encoding: chunked") + b"186a0\r\n",
    "page": head("/admin/login/", "Content-Length: 100000"),
}
# Looks the session up, then redirects to the login.
PAGE = head("/admin/", "Cookie: sessionid=made-up-and-long-enough", method="GET")


@pytest.mark.parametrize("begun", SLOW.values(), ids=SLOW)
def test_a_request_that_trickles_in_is_ended(connect: Clients, begun: bytes) -> None:
    assert connect().send(begun).trickle().startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_a_request_is_ended(connect: Clients) -> None:
    assert connect().socket.recv(100) == b""


def test_200_slow_clients_delay_nobody(connect: Clients, web: WebProcess) -> None:
    slow = [connect().send(begun) for begun in SLOW.values() for _ in range(50)]
    bodies = [message_body(inbound(text_message(f"{n}"))) for n in range(20)]
    assert ok(connect().send(delivery(body)).response() for body in bodies)
    assert answers(web.port)
    assert connect().send(PAGE).status == 302
    assert ConversationMessage.objects.count() == 20
    assert all(client.socket.recv(4096).startswith(b"HTTP/1.1 408 ") for client in slow)


def test_pages_cannot_take_the_webhooks_threads(connect: Clients) -> None:
    with transaction.atomic():
        connection.cursor().execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        waiting = [connect().send(PAGE) for _ in range(10)]
        wait_until(lambda: _waiting_for_locks() == 2)
        assert ok([connect().send(delivery(message_body(inbound()))).response()])
    assert [client.status for client in waiting] == [302] * 10


def _waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'django_session'::regclass")
        return int(cursor.fetchone()[0])


def test_a_thread_does_not_wait_for_a_client_that_fetches_nothing() -> None:
    ours, theirs = socket.socketpair()
    sending = ClientSocket(ours)
    content = bytes(range(256)) * 20_000
    sending.hold_head()
    for part in (b"head", content, b"end"):
        sending.sendall(part)
    assert sending.unsent_bytes > 0

    received = bytearray()

    def fetch() -> None:
        while part := theirs.recv(65536):
            received.extend(part)

    reader = threading.Thread(target=fetch)
    reader.start()
    while sending.unsent_bytes:
        sending.resume()
    sending.close()
    reader.join()
    theirs.close()
    assert bytes(received) == b"head" + content + b"end"


def test_requests_follow_one_another_on_a_connection(connect: Clients) -> None:
    client: RawClient = connect()
    for text in ("one", "two"):
        assert ok([client.send(delivery(message_body(inbound(text_message(text))))).response()])
    assert client.send(head("/healthz", "Connection: close", method="GET")).response()[1] == b'{"ok": true}'
    assert client.is_closed()


def test_requests_sent_at_once_are_answered_in_order(connect: Clients) -> None:
    client = connect().send(head("/healthz", method="GET") + head("/no/such/page", method="GET") + SLOW["head"])
    assert [client.status, client.status] == [200, 404]
