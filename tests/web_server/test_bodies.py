"""A body is stored whole or refused, whatever its framing; too large a body is refused before anything reads it."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from api import keys
from api.models import ApiKey
from conversations.models import ConversationMessage
from tenants.models import Membership, Tenant
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.factories import inbound, text_message

from .client import WEBHOOK, chunked, delivery, head, message_body
from .conftest import Clients, WebProcess

pytestmark = pytest.mark.xdist_group("web_server")
MB = 1024 * 1024
OK = (200, b'{"ok":true}')


def stored() -> int:
    return ConversationMessage.objects.count() + QuarantinedEvent.objects.count()


@pytest.fixture
def session() -> str:
    client = Client()
    client.force_login(
        User.objects.create_superuser("ann", "ann@example.com", "x"), "django.contrib.auth.backends.ModelBackend"
    )
    return f"Cookie: sessionid={client.cookies['sessionid'].value}"


def test_a_delivery_is_stored(connect: Clients) -> None:
    assert connect().send(delivery(message_body(inbound()))).response() == OK
    assert ConversationMessage.objects.get().text == "Hello"


def test_a_chunked_delivery_is_stored(connect: Clients) -> None:
    body = message_body(inbound(text_message("x" * 10_000)))
    assert connect().send(chunked(body), b"0\r\n\r\n").response() == OK
    assert len(ConversationMessage.objects.get().text) == 10_000


def test_what_follows_a_chunked_delivery_is_the_next_request(connect: Clients) -> None:
    first, second = message_body(inbound(text_message("one"))), message_body(inbound(text_message("two")))
    client = connect().send(chunked(first) + b"0\r\nX-Trailer: 1\r\n\r\n" + delivery(second))
    assert [client.response(), client.response()] == [OK, OK]
    assert ConversationMessage.objects.count() == 2


@pytest.mark.parametrize("framing", [chunked, delivery])
def test_a_body_that_is_cut_short_is_refused(connect: Clients, framing: object) -> None:
    body = message_body(inbound())
    whole = chunked(body) if framing is chunked else delivery(body)[:-10]
    assert connect().send(whole).end().status == 400
    assert stored() == 0


def test_malformed_chunks_are_refused(connect: Clients) -> None:
    assert connect().send(chunked(message_body(inbound())), b"no size\r\n").status == 400
    assert stored() == 0


def test_chunks_that_cost_more_than_they_carry_are_refused(connect: Clients) -> None:
    client = connect().send(head(WEBHOOK, "Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 30_000)
    assert client.status == 400


def test_a_length_and_chunks_together_are_refused(connect: Clients) -> None:
    both = head(WEBHOOK, "Transfer-Encoding: chunked", "Content-Length: 3") + b"0\r\n\r\n"
    assert connect().send(both).status == 400


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        (WEBHOOK, 3 * MB + 1, 413),
        ("/admin/login/", MB + 1, 413),
        ("/api/conversations/1/messages", MB + 1, 413),
        ("/api/leads", MB + 1, 413),
        ("/no/such/page", MB + 1, 413),
        ("/", 300 * MB, 413),
        ("/invitation/x/", MB + 1, 413),
        ("/api/admin/tenants", MB + 1, 413),
        ("/api/conversations/1/files", 300 * MB, 413),
        ("/readyz", MB + 1, 413),
        ("/sandbox/", MB + 1, 413),
        # Only the webhook's own path may have more.
        ("/api/whatsapp/webhook/", MB + 1, 413),
        ("/api/whatsapp/%77ebhook", MB + 1, 413),
        ("/admin/../api/whatsapp/webhook", MB + 1, 413),
        ("//api/whatsapp/webhook", MB + 1, 413),
        ("/admin/login/?next=/api/whatsapp/webhook", MB + 1, 413),
        ("http://127.0.0.1/admin/login/", MB + 1, 413),
    ],
)
def test_a_larger_body_is_refused_before_it_is_sent(connect: Clients, path: str, size: int, status: int) -> None:
    assert connect().send(head(path, f"Content-Length: {size}")).status == status


def test_3_mb_are_accepted_by_the_webhook(connect: Clients) -> None:
    body = message_body(inbound(text_message("x" * (3 * MB - 1000))))
    assert connect().send(delivery(body)).response() == OK


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(connect: Clients) -> None:
    parts = [b"100000\r\n" + b"x" * MB + b"\r\n"] * 4
    assert connect().send(head(WEBHOOK, "Transfer-Encoding: chunked"), *parts[:3], b"1\r\nx").status == 413


@pytest.mark.parametrize("path", ["/admin/login/", "/api/conversations/1/files", "/invitation/x/"])
def test_a_chunked_body_outside_the_webhook_is_refused_beyond_1_mb(connect: Clients, path: str, session: str) -> None:
    """Also with a session: an upload has to say its length."""
    begun = head(path, "Transfer-Encoding: chunked", session)
    assert connect().send(begun, b"100000\r\n" + b"x" * MB + b"\r\n", b"1\r\nx").status == 413


def test_a_head_that_is_too_large_is_refused(connect: Clients) -> None:
    assert connect().send(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 40_000).status == 431


def test_a_client_is_told_to_continue_once(connect: Clients) -> None:
    body = message_body(inbound())
    whole = delivery(body, "Expect: 100-continue")
    client = connect().send(whole[: -len(body)])
    assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.send(body).response() == OK


def test_a_body_that_is_too_large_is_not_requested(connect: Clients) -> None:
    assert connect().send(head("/admin/login/", f"Content-Length: {2 * MB}", "Expect: 100-continue")).status == 413


def test_a_person_who_has_signed_in_may_upload(connect: Clients, session: str) -> None:
    length = f"Content-Length: {2 * MB}"
    assert connect().send(head("/admin/", length, session), b"x" * 2 * MB).status == 403  # Django's: no CSRF token
    assert connect().send(head("/admin/", length, "Cookie: sessionid=made-up-and-long-enough")).status == 413
    assert connect().send(head("/api/leads", length, session)).status == 413
    assert connect().send(head("/admin/", f"Content-Length: {102 * MB}", session)).status == 413


def test_a_program_with_a_key_may_upload(connect: Clients) -> None:
    tenant = Tenant.objects.create(name="A", slug="a")
    maker = User.objects.create_user("maker")
    Membership.objects.create(user=maker, tenant=tenant, role=Membership.Role.OWNER)
    key = ApiKey(tenant=tenant, name="n", scope=ApiKey.Scope.WRITE)
    token = keys.generate(key, maker)
    key.save()
    path, length = "/api/conversations/999/messages", f"Content-Length: {2 * MB}"
    right, wrong = f"Authorization: Bearer {token}", "Authorization: Bearer prk_0_0"
    form = "Content-Type: multipart/form-data; boundary=b"
    assert connect().send(head(path, length, right, form), b"x" * 2 * MB).status == 404
    assert connect().send(head(path, length, wrong, form)).status == 413


def test_an_upload_is_refused_for_now_while_authentication_is_unavailable(connect: Clients, session: str) -> None:
    rename = "ALTER TABLE {} RENAME TO {}"
    connection.cursor().execute(rename.format("django_session", "elsewhere"))
    try:
        status = connect().send(head("/admin/", f"Content-Length: {2 * MB}", session)).status
    finally:
        connection.cursor().execute(rename.format("elsewhere", "django_session"))
    assert status == 503


def test_an_upload_is_not_held_in_memory(connect: Clients, web: WebProcess, session: str) -> None:
    size = 60 * MB
    worker = Path(f"/proc/{web.process.id}/task/{web.process.id}/children").read_text().split()[0]
    before = _peak_memory(worker)
    client = connect().send(head("/admin/", f"Content-Length: {size}", session))
    for _ in range(60):
        client.send(bytes(MB))
    assert client.status == 403
    assert _peak_memory(worker) - before < size / 2


def _peak_memory(pid: str) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
