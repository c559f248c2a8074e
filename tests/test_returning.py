"""Automatic hand-back: after the configured time, the assistant answers open messages, once."""

import datetime as dt
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F

from assistant.models import Assistant, Turn
from assistant.turns import handback
from conversations import handover
from conversations.models import Conversation
from conversations.outbox import queue as outbox
from conversations.tests.test_admin_transcript import page_of
from tenants.models import Tenant
from tenants.tests.people import browser_of, superuser
from tests.stage import Stage, lines
from whatsapp.tests.factories import inbound, text_message


@pytest.fixture
def taken(stage: Stage) -> Conversation:
    """A conversation handled by a person, in a business that hands back after 30 minutes."""
    Assistant.objects.create(tenant=Tenant.objects.single(), returns_after_minutes=30)
    stage.converse(inbound(text_message("one")))
    conversation = Conversation.objects.get()
    handover.take_over(conversation.pk, User.objects.create(username="bo"))
    conversation.refresh_from_db()
    return conversation


def later(minutes: int) -> None:
    """Let this many minutes pass."""
    Conversation.objects.update(person_at=F("person_at") - dt.timedelta(minutes=minutes))


def test_answers_what_the_customer_wrote_meanwhile(stage: Stage, taken: Conversation) -> None:
    stage.converse(inbound(text_message("two")))
    stage.converse(inbound(text_message("three")))
    later(29)
    assert handback.hand_back_due() == 0
    assert stage.wire.texts == ["Answer to one"]
    later(2)
    assert handback.hand_back_due() == 1
    assert handback.hand_back_due() == 0
    stage.work()
    assert stage.wire.texts == ["Answer to one", "Answer to three"]
    taken.refresh_from_db()
    assert (taken.handled_by, taken.operator) == ("assistant", None)


def test_says_nothing_when_the_person_answered(stage: Stage, taken: Conversation) -> None:
    stage.converse(inbound(text_message("two")))
    outbox.send(taken, "A person's answer", author=taken.operator)
    later(31)
    assert handback.hand_back_due() == 1
    stage.work()
    assert stage.wire.texts == ["Answer to one", "A person's answer"]
    stage.converse(inbound(text_message("three")))
    assert stage.wire.texts[-1] == "Answer to three"


def test_a_message_from_the_team_postpones_it(stage: Stage, taken: Conversation) -> None:
    later(29)
    outbox.send(taken, "I am still here", author=taken.operator)
    later(29)
    assert handback.hand_back_due() == 0


def test_answers_what_the_assistant_could_not_send(stage: Stage, taken: Conversation) -> None:
    handover.hand_back(taken.pk)
    stage.post(inbound(text_message("two")))
    outbox.send(taken, "No longer sent")
    handover.take_over(taken.pk, None)
    stage.work()
    assert [turn.outcome for turn in Turn.objects.order_by("id")] == ["replied", "taken over"]
    later(31)
    handback.hand_back_due()
    stage.work()
    assert stage.wire.texts == ["Answer to one", "Answer to two"]


def test_hands_back_only_if_the_business_configured_it(stage: Stage, taken: Conversation) -> None:
    other = Tenant.objects.create(name="Other", slug="other")
    Assistant.objects.create(tenant=other)
    Conversation.objects.create(tenant=other, external_id="1", phone_number_id="2")
    handover.take_over(Conversation.objects.get(tenant=other).pk, None)
    later(10_000)
    assert handback.hand_back_due() == 1
    assert Conversation.objects.get(handled_by="operator").tenant == other


def test_the_button_answers_what_the_customer_wrote_meanwhile(stage: Stage, taken: Conversation) -> None:
    stage.converse(inbound(text_message("two")))
    url = f"/admin/conversations/conversation/{taken.pk}/hand-back/"
    browser = browser_of(superuser())
    for _ in range(2):  # a second click changes nothing
        assert browser.post(url).status_code == 302
    stage.work()
    assert stage.wire.texts == ["Answer to one", "Answer to two"]


def test_the_assistant_knows_what_the_person_said(stage: Stage, taken: Conversation) -> None:
    stage.converse(inbound(text_message("two")))
    outbox.send(taken, "We close at six today.", author=taken.operator)
    stage.work()
    stage.converse(inbound(text_message("And tomorrow?")))
    handover.hand_back(taken.pk)
    stage.work()
    assert "We close at six today." in lines(stage.wire.asked[-1])
    assert stage.wire.texts[-1] == "Answer to And tomorrow?"


@pytest.mark.parametrize("column", ["is_active", "last_inbound_at"])
def test_stays_silent_where_it_would_anyway(stage: Stage, taken: Conversation, column: str) -> None:
    stage.converse(inbound(text_message("two")))
    off = False if column == "is_active" else F(column) - dt.timedelta(hours=24)
    Conversation.objects.update(**{column: off})
    later(31)
    handback.hand_back_due()
    stage.work()
    assert stage.wire.texts == ["Answer to one"]


def test_two_workers_hand_it_back_once(stage: Stage, taken: Conversation) -> None:
    stage.post(inbound(text_message("two")))
    later(31)
    moved: list[int] = []

    def sweep() -> None:
        moved.append(handback.hand_back_due())
        connection.close()

    workers = [threading.Thread(target=sweep) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    stage.work()
    assert sum(moved) == 1
    assert stage.wire.texts == ["Answer to one", "Answer to two"]


def test_the_page_says_when(stage: Stage, taken: Conversation) -> None:
    browser = browser_of(superuser())
    assert taken.person_at
    at = taken.person_at + dt.timedelta(minutes=30)
    assert f"Handled by bo; automatic hand-back on {at:%-d %B} at {at:%H:%M} UTC" in page_of(browser, taken)
    Assistant.objects.update(returns_after_minutes=None)
    assert "automatic hand-back" not in page_of(browser, taken)
