"""The stand-in posts signed status webhooks."""

import hashlib
import hmac

import pytest
from pytest_django import Settings

from sandbox.models import Message
from sandbox.pool import pool
from sandbox.tests.conftest import Bot
from sandbox.tests.graph import BSUID, NUMBER, PERSON, send

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_posts_sent_then_delivered_with_the_opaque_data(bot: Bot) -> None:
    wamid = send(biz_opaque_callback_data="17").json()["messages"][0]["id"]
    received = [bot.next(), bot.next()]
    assert [r.value["statuses"][0]["status"] for r in received] == ["sent", "delivered"]
    for delivery in received:
        signature = hmac.new(b"newest", delivery.raw, hashlib.sha256).hexdigest()
        assert delivery.signature == f"sha256={signature}"
        item = delivery.value["statuses"][0]
        assert (item["id"], item["biz_opaque_callback_data"]) == (wamid, "17")
        assert item["recipient_id"] == PERSON
        assert delivery.value["metadata"]["phone_number_id"] == NUMBER
    assert pool.wait_idle(10)
    assert Message.objects.get().state == "delivered"


def test_it_names_a_customer_who_hides_the_number_by_user_id_only(bot: Bot) -> None:
    send({"messaging_product": "whatsapp", "recipient": BSUID, "type": "text", "text": {"body": "Hello"}})
    item = bot.next().value["statuses"][0]
    assert item["recipient_user_id"] == BSUID
    assert "recipient_id" not in item


def test_it_retries_until_the_bot_answers_200(bot: Bot) -> None:
    bot.answers = [503]
    send()
    assert [s["status"] for s in bot.next_statuses(3)] == ["sent", "sent", "delivered"]


def test_it_posts_no_status_for_a_lost_message(bot: Bot) -> None:
    send(to=BSUID)
    assert pool.wait_idle(10)
    assert bot.received.empty()


def test_it_does_not_sign_without_a_secret(bot: Bot, settings: Settings) -> None:
    settings.WHATSAPP_APP_SECRETS = []
    send()
    assert bot.next().signature == ""
