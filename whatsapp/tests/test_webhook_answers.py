"""Each response of the webhook, and each refusal, tested as an outsider."""

import logging
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from conversations.models import Conversation, ConversationMessage
from tests.stage import SECRET, WEBHOOK, Stage
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.factories import change, delivery, inbound, text_message
from whatsapp.webhook import ingest as inbound_module
from whatsapp.webhook.signature import sign

BODY = b'{"object":"whatsapp_business_account","entry":[]}'


def stored() -> int:
    return Conversation.objects.count() + ConversationMessage.objects.count() + QuarantinedEvent.objects.count()


def test_an_authentic_delivery_is_stored_and_answered_ok(stage: Stage) -> None:
    response = stage.post(inbound())
    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert ConversationMessage.objects.get().text == "Hello"


def test_the_reports_curl_works_without_id_timestamp_and_field(stage: Stage, settings: Any) -> None:
    settings.WHATSAPP_APP_SECRETS = []
    body = (
        b'{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":{"metadata":'
        b'{"phone_number_id":"YOUR_PHONE_NUMBER_ID"},"messages":[{"from":"79001234567","type":"text",'
        b'"text":{"body":"Hello"}}]}}]}]}'
    )
    stage.post(body, secret=None)
    assert stage.post(body, secret=None).json() == {"ok": True}
    stage.work()

    assert Conversation.objects.get().external_id == "79001234567"
    assert ConversationMessage.objects.filter(role="user").count() == 2
    assert ConversationMessage.objects.filter(role="assistant", status="sent").count() == 1


def test_unusable_content_is_quarantined_and_answered_ok(stage: Stage) -> None:
    response = stage.post(delivery(change(field="account_update", event="ACCOUNT_DELETED")))
    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert QuarantinedEvent.objects.get().reason == "unknown field: account_update"


def test_a_duplicate_stores_nothing_and_is_answered_ok(stage: Stage) -> None:
    data = inbound(text_message("Hello", id="wamid.same"))
    stage.converse(data)
    before = stored()
    last_message_at = Conversation.objects.values_list("last_message_at", flat=True).get()
    stage.converse(data)
    assert stored() == before
    assert Conversation.objects.values_list("last_message_at", flat=True).get() == last_message_at
    assert len(stage.wire.sent) == 1


def test_nothing_is_stored_while_whatsapp_is_disabled(stage: Stage, settings: Any, caplog: Any) -> None:
    settings.WHATSAPP_ENABLED = False
    with caplog.at_level(logging.INFO, logger="whatsapp.webhook.views"):
        response = stage.post(inbound())
    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert stored() == 0
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "sha256=" + "0" * 63,
        "sha256=" + "0" * 64,
        "sha256=ключ",
        sign(BODY, "another app's secret"),
        sign(BODY + b" ", SECRET),
    ],
)
def test_a_missing_or_wrong_signature_is_refused(stage: Stage, header: str | None, caplog: Any) -> None:
    headers = {} if header is None else {"X-Hub-Signature-256": header}
    response = stage.post(BODY, secret=None, **headers)
    assert response.status_code == 403
    assert stored() == 0
    expected = sign(BODY, SECRET).removeprefix("sha256=")
    assert expected not in response.content.decode() + caplog.text
    assert "whatsapp_business_account" not in caplog.text


def test_one_changed_bit_of_the_body_is_refused(stage: Stage) -> None:
    header = sign(BODY, SECRET)
    response = stage.post(BODY.replace(b"entry", b"entrx"), secret=None, **{"X-Hub-Signature-256": header})
    assert response.status_code == 403


def test_two_secrets_are_valid_during_a_rotation(stage: Stage, settings: Any) -> None:
    settings.WHATSAPP_APP_SECRETS = ["the new one", SECRET]
    assert stage.post(inbound(), secret=SECRET).status_code == 200
    settings.WHATSAPP_APP_SECRETS = ["the new one"]
    assert stage.post(inbound(), secret=SECRET).status_code == 403
    assert stage.post(inbound(), secret="the new one").status_code == 200


def test_without_any_secret_everything_is_accepted(stage: Stage, settings: Any) -> None:
    settings.WHATSAPP_APP_SECRETS = []  # production refuses to start like this: tests/test_settings.py
    assert stage.post(inbound(), secret=None).json() == {"ok": True}
    assert ConversationMessage.objects.count() == 1


def test_more_than_3_mb_is_refused_before_it_is_stored(stage: Stage) -> None:
    assert stage.post(b" " * (3 * 1024 * 1024 + 1)).status_code == 413
    assert stored() == 0


def test_3_mb_are_accepted(stage: Stage) -> None:
    body = inbound(text_message("x" * (3 * 1024 * 1024 - 1000)))
    assert stage.post(body).json() == {"ok": True}


def test_a_body_without_a_length_is_refused_where_the_server_does_not_decode_it(stage: Stage) -> None:
    assert stage.post(inbound(), **{"Transfer-Encoding": "chunked"}).status_code == 411
    assert stored() == 0


def test_the_answer_is_503_while_the_database_is_unavailable(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(inbound_module, "accept", away)
    assert stage.post(inbound()).status_code == 503


def test_a_connection_that_died_is_replaced_within_the_delivery(stage: Stage) -> None:
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert stage.post(inbound()).json() == {"ok": True}
    assert ConversationMessage.objects.count() == 1


def test_a_trailing_slash_does_not_redirect(client: Client, db: None) -> None:
    assert client.post(WEBHOOK + "/").status_code == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "right", "hub.challenge": "1158201444"}, 200),
        ({"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "1"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": "токен", "hub.challenge": "1"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": ["right", "right"], "hub.challenge": "1"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token[]": "right", "hub.challenge": "1"}, 403),
        ({"hub.mode": "subscribe", "hub.challenge": "1"}, 403),
        ({"hub.verify_token": "right", "hub.challenge": "1"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": "right"}, 400),
        ({"hub.mode": "subscribe", "hub.verify_token": "right", "hub.challenge": "<script>x</script>"}, 200),
    ],
)
def test_the_handshake(client: Client, db: None, settings: Any, query: dict[str, str], status: int) -> None:
    settings.WHATSAPP_VERIFY_TOKEN = "right"
    response = client.get(WEBHOOK, query)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    if status == 200:
        assert response.content.decode() == query["hub.challenge"]
