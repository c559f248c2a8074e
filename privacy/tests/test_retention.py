"""Data older than the business's retention period is deleted; everything else stays."""

import datetime as dt
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.db.models import F
from django.test import Client

from assistant.models import Turn
from conversations.models import Attachment, Conversation, ConversationMessage
from knowledge.models import UnansweredQuestion
from leads.models import Lead
from notifications.models import NotificationIncident
from privacy import installation, retention
from privacy.models import RetentionPolicy
from runtime.clock import ago
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from webhooks.models import WebhookEvent
from whatsapp.models import QuarantinedEvent

DAY = dt.timedelta(days=1)


def fill(tenant: Tenant, conversations: int = 3, days: tuple[int, ...] = (0, 10, 40)) -> None:
    """Conversations with one message, its file and its turn for each of these ages."""
    for number in range(conversations):
        talk = Conversation.objects.create(tenant=tenant, phone_number_id=str(tenant.pk), external_id=str(number))
        for age in days:
            row = ConversationMessage.objects.create(conversation=talk, role="user", text=f"{age} days")
            Attachment.objects.create(message=row, tenant=tenant, kind="image")
            Turn.objects.create(
                tenant=tenant,
                conversation=talk,
                state="replied",
                first_message=row,
                last_message=row,
                due_at=row.created_at,
                latest_due_at=row.created_at,
            )
            ConversationMessage.objects.filter(pk=row.pk).update(created_at=F("created_at") - age * DAY)
    for age in days:
        event = QuarantinedEvent.objects.create(tenant=tenant, reason="unknown", raw={}, digest=f"{tenant.pk}-{age}")
        QuarantinedEvent.objects.filter(pk=event.pk).update(created_at=F("created_at") - age * DAY)


def apply_all() -> None:
    while retention.apply_some():
        pass


def counts(tenant: Tenant) -> dict[str, int]:
    messages = ConversationMessage.objects.filter(conversation__tenant=tenant)
    return {
        "messages": messages.count(),
        "turns": Turn.objects.filter(tenant=tenant).count(),
        "files": Attachment.objects.filter(message__in=messages).count(),
        "quarantined": QuarantinedEvent.objects.filter(tenant=tenant).count(),
    }


@pytest.fixture
def businesses(transactional_db: None) -> TwoBusinesses:
    found = TwoBusinesses()
    fill(found.ours)
    fill(found.theirs)
    return found


@pytest.mark.parametrize(
    ("days", "left"),
    [
        ({"messages_days": 30}, {"messages": 6, "turns": 6, "files": 6, "quarantined": 3}),
        ({"files_days": 30}, {"messages": 9, "turns": 9, "files": 6, "quarantined": 3}),
        ({"quarantine_days": 5}, {"messages": 9, "turns": 9, "files": 9, "quarantined": 1}),
        ({"messages_days": 30, "files_days": 5}, {"messages": 6, "turns": 6, "files": 3, "quarantined": 3}),
        ({}, {"messages": 9, "turns": 9, "files": 9, "quarantined": 3}),
    ],
)
def test_it_deletes_what_is_too_old_and_nothing_else(
    businesses: TwoBusinesses, days: dict[str, int], left: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CONVERSATIONS", 2)
    theirs = counts(businesses.theirs)
    policy = RetentionPolicy.objects.create(tenant=businesses.ours, **days)
    apply_all()
    assert counts(businesses.ours) == left
    assert counts(businesses.theirs) == theirs
    assert retention.due(policy) == {}


def test_each_batch_is_bounded_and_the_walk_goes_on(businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    RetentionPolicy.objects.create(tenant=businesses.ours, messages_days=5)
    while True:
        before = counts(businesses.ours)["messages"]
        if not retention.apply_some():
            break
        assert before - counts(businesses.ours)["messages"] <= 2
    assert counts(businesses.ours)["messages"] == 3


def test_what_is_being_answered_or_sent_stays(businesses: TwoBusinesses) -> None:
    Turn.objects.filter(tenant=businesses.ours, conversation__external_id="0").update(state="failed")
    old = ConversationMessage.objects.filter(conversation__tenant=businesses.ours, text="40 days")
    Turn.objects.filter(first_message=old.get(conversation__external_id="0")).update(state="collecting")
    old.filter(conversation__external_id="1").update(role="assistant", status="queued")
    RetentionPolicy.objects.create(tenant=businesses.ours, messages_days=30)
    apply_all()
    assert set(old.values_list("conversation__external_id", flat=True)) == {"0", "1"}


# --- The page ---


ADD = "/admin/privacy/retentionpolicy/add/"


def posted(businesses: TwoBusinesses, days: str) -> dict[str, Any]:
    return {"tenant": businesses.ours.pk, "messages_days": days, "files_days": "", "quarantine_days": ""}


def test_a_policy_says_what_it_would_delete_before_it_is_saved(client: Client, businesses: TwoBusinesses) -> None:
    browser = businesses.browser("owner")
    form: dict[str, Any] = {
        "tenant": businesses.ours.pk,
        "messages_days": "30",
        "files_days": "",
        "quarantine_days": "",
    }
    asked = browser.post(ADD, form).content.decode()
    assert "This deletes 3 messages" in asked
    assert not RetentionPolicy.objects.exists()
    assert browser.post(ADD, {**form, "confirmed": "on"}).status_code == 302
    apply_all()
    assert counts(businesses.ours)["messages"] == 6


def test_a_policy_that_deletes_nothing_now_needs_no_confirmation(businesses: TwoBusinesses) -> None:
    assert businesses.browser("owner").post(ADD, posted(businesses, "365")).status_code == 302


def test_zero_days_are_refused(businesses: TwoBusinesses) -> None:
    form = {
        "tenant": businesses.ours.pk,
        "messages_days": "0",
        "files_days": "",
        "quarantine_days": "",
        "confirmed": "on",
    }
    assert "greater than or equal to 1" in businesses.browser("owner").post(ADD, form).content.decode()


# --- Copies, and the installation ---


def test_what_repeats_old_messages_goes_with_them(businesses: TwoBusinesses) -> None:
    for tenant in (businesses.ours, businesses.theirs):
        talk = Conversation.objects.filter(tenant=tenant).earliest("pk")
        old = talk.created_at - 40 * DAY
        WebhookEvent.objects.create(tenant=tenant, type="needs_person", payload={"reason": "old"}, created_at=old)
        for closed in (old, None):
            NotificationIncident.objects.create(
                tenant=tenant,
                kind="handover",
                subject=f"{tenant}{closed}",
                title="old",
                opened_at=old,
                closed_at=closed,
            )
        UnansweredQuestion.objects.create(
            tenant=tenant, conversation=talk, message_id=tenant.pk, text="old", asked_at=old
        )
        Lead.objects.create(tenant=tenant, conversation=talk, name="Ann", first_text="old", created_at=old)
        Conversation.objects.filter(pk=talk.pk).update(handover_summary="old", last_message_at=old)
    policy = RetentionPolicy.objects.create(tenant=businesses.ours, messages_days=30)
    assert retention.due(policy) == {"messages": 3, "webhook events": 1, "notifications": 1, "unanswered questions": 1}
    apply_all()
    for tenant, left in ((businesses.ours, 0), (businesses.theirs, 1)):
        assert WebhookEvent.objects.filter(tenant=tenant).count() == left
        assert NotificationIncident.objects.filter(tenant=tenant).count() == left + 1, "an open one stays"
        assert UnansweredQuestion.objects.filter(tenant=tenant).count() == left
        assert Lead.objects.get(tenant=tenant).first_text == "old" * left
        assert Conversation.objects.filter(tenant=tenant).exclude(handover_summary="").count() == left


def test_old_sign_ins_and_expired_sessions_are_deleted(db: None) -> None:
    for days, name in ((91, "old"), (89, "new")):
        AccessAttempt.objects.create(username=name, failures_since_start=1)
        for model in (AccessLog, AccessFailureLog):
            model.objects.create(username=name)
        for model in (AccessAttempt, AccessLog, AccessFailureLog):
            model.objects.filter(username=name).update(attempt_time=F("attempt_time") - days * DAY)
        Session.objects.create(session_key=name, session_data="", expire_date=ago((days - 90) * 86_400))
    installation.delete_old_sign_ins()
    installation.delete_expired_sessions()
    for model in (AccessAttempt, AccessLog, AccessFailureLog):
        assert model.objects.get().username == "new"
    assert Session.objects.get().session_key == "new"
