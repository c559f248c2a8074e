"""A suspended business: nothing lost, nothing answered or sent, and everyone is told. Once resumed, it carries on."""

import datetime as dt
from typing import Any

import pytest
from django.core import mail
from django.db.models import F
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from api.tests.clients import api_client, staff_client
from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.contents import LocationRequest
from conversations.outbox.queue import send_message
from notifications.models import NotificationIncident
from privacy import resuming
from tenants.models import MemberRole, Membership, Tenant
from tenants.suspension import state
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage, completion
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint
from webhooks.recording import EventDraft, record_all
from webhooks.signature import new_secret
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import contact, inbound, text_message

HTML = {"Accept": "text/html"}
NOTE = "Call us about your invoice."


@pytest.fixture
def businesses(stage: Stage, settings: Any) -> TwoBusinesses:
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    settings.MULTITENANT_ENABLED = True
    found = TwoBusinesses()
    for number, tenant in (("1001", found.ours), ("2002", found.theirs)):
        WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=number, access_token=f"token-{number}")
    return found


def write(stage: Stage, text: str, sender: str = "491", number: str = "1001") -> None:
    who = [contact(f"Customer {sender}", sender)]
    stage.converse(inbound(text_message(text, sender=sender), contacts=who, phone_number_id=number))


def suspend(businesses: TwoBusinesses) -> None:
    assert state.suspend(businesses.ours, businesses.people["superuser"], NOTE)
    businesses.ours.refresh_from_db()


def page(tenant: Tenant, name: str) -> str:
    return f"/admin/tenants/tenant/{tenant.pk}/{name}/"


# --- What stops ---


def test_the_webhook_stores_messages_that_nobody_answers(stage: Stage, businesses: TwoBusinesses) -> None:
    suspend(businesses)
    write(stage, "Hello?")
    write(stage, "Hello there", sender="492", number="2002")
    assert ConversationMessage.objects.filter(text="Hello?").count() == 1
    assert stage.wire.texts == ["Answer to Hello there"], "the other business goes on"


def test_a_reply_that_waits_or_is_being_written_isnt_sent(stage: Stage, businesses: TwoBusinesses) -> None:
    write(stage, "Hello")
    stage.wire.sent.clear()
    send_message(Conversation.objects.get(), LocationRequest("Where are you?"))

    def model(body: Any) -> Any:
        suspend(businesses)  # while the model thinks
        return completion("Too late")

    stage.wire.model = model
    write(stage, "Hello again", sender="493")
    assert stage.wire.sent == []
    assert ConversationMessage.objects.filter(status="queued").count() == 1


def test_the_business_gets_no_webhooks_meanwhile(stage: Stage, businesses: TwoBusinesses) -> None:
    endpoint = WebhookEndpoint.objects.create(
        tenant=businesses.ours, url="https://127.0.0.1/", event_types=list(EventType), secret=new_secret()
    )
    record_all([EventDraft(businesses.ours.pk, EventType.NEEDS_PERSON, {})])
    suspend(businesses)
    stage.work()
    delivery = WebhookDelivery.objects.get(endpoint=endpoint)
    assert (delivery.status, delivery.attempts) == ("waiting", 0)
    assert state.resume(businesses.ours)
    resuming.release(businesses.ours.pk)
    assert WebhookDelivery.objects.filter(next_attempt_at__lte=delivery.next_attempt_at - dt.timedelta(minutes=30))


# --- Who is told ---


@pytest.mark.parametrize("who", ["viewer", "operator", "owner"])
def test_members_see_why(businesses: TwoBusinesses, who: str) -> None:
    suspend(businesses)
    browser = businesses.browser(who)
    for path in ("/admin/", "/admin/conversations/conversation/", page(businesses.ours, "change")):
        answer = browser.get(path, headers=HTML)
        assert answer.status_code == 403
        assert "Business ours is suspended" in answer.content.decode()
        assert NOTE in answer.content.decode()
    assert browser.get("/admin/conversations/conversation/live/").json() == {"detail": "Your business is suspended."}
    assert browser.post("/account/sign-out/").status_code == 302
    assert businesses.browser("stranger").get("/admin/", headers=HTML).status_code == 200
    assert businesses.browser("superuser").get("/admin/", headers=HTML).status_code == 200


def test_a_member_of_another_business_still_works_there(businesses: TwoBusinesses) -> None:
    owner = businesses.people["owner"]
    Membership.objects.create(user=owner, tenant=businesses.theirs, role=MemberRole.VIEWER)
    suspend(businesses)
    answer = businesses.browser("owner").get("/admin/conversations/conversation/", headers=HTML)
    assert answer.status_code == 200
    assert "Business ours is suspended" in answer.content.decode()
    assert NOTE in answer.content.decode()


def test_keys_and_tokens_are_refused_and_say_why(businesses: TwoBusinesses) -> None:
    client = api_client(businesses.ours, businesses.people["owner"])
    staff = staff_client(businesses.people["owner"])
    suspend(businesses)
    for answer in (client.get("conversations"), client.post("exports"), staff.get("/api/admin/whatsapp-accounts")):
        assert answer.status_code == 403
        assert answer.json()["detail"].startswith("This business is suspended.")
    assert state.resume(businesses.ours)
    assert client.get("conversations").status_code == 200


def test_owners_get_an_email(stage: Stage, businesses: TwoBusinesses, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.test"
    suspend(businesses)
    stage.work()
    assert state.resume(businesses.ours)
    stage.work()
    told, again = mail.outbox
    assert told.to == again.to == [businesses.people["owner"].email]
    assert told.subject == "Business ours is suspended"
    assert NOTE in told.body
    assert again.subject == "Business ours is active again"


# --- Going on ---


def test_who_wrote_meanwhile_is_answered_once_it_is_resumed(stage: Stage, businesses: TwoBusinesses) -> None:
    write(stage, "Before")
    stage.wire.sent.clear()
    suspend(businesses)
    write(stage, "One")
    write(stage, "Two")
    assert state.resume(businesses.ours)
    stage.work()
    assert stage.wire.texts == ["Answer to Two"]
    (answer,) = [body["messages"] for body in stage.wire.asked if "Two" in str(body["messages"][-1]["content"])]
    assert answer[-1]["content"] == "One\nTwo"


def test_whose_window_has_closed_is_flagged(stage: Stage, businesses: TwoBusinesses) -> None:
    suspend(businesses)
    write(stage, "Hello?")
    hours = dt.timedelta(hours=25)
    Tenant.objects.filter(pk=businesses.ours.pk).update(suspended_at=F("suspended_at") - hours)
    Conversation.objects.update(last_inbound_at=F("last_inbound_at") - hours)
    assert state.resume(businesses.ours)
    stage.work()
    assert stage.wire.sent == []
    assert "24-hour window" in Conversation.objects.get().needs_person


def test_the_team_is_notified_of_those_it_handles(stage: Stage, businesses: TwoBusinesses) -> None:
    write(stage, "Hello")
    talk = Conversation.objects.get()
    handover.take_over(talk.pk, businesses.people["operator"])
    suspend(businesses)
    write(stage, "Are you there?")
    assert not NotificationIncident.objects.exists()
    assert state.resume(businesses.ours)
    stage.work()
    assert set(NotificationIncident.objects.values_list("kind", flat=True)) == {"message", "unanswered"}


def test_it_answers_in_batches_and_only_once(
    stage: Stage, businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "BATCH", 2)
    suspend(businesses)
    for number in range(5):
        write(stage, f"Question {number}", sender=f"49{number}")
    assert state.resume(businesses.ours)
    assert not state.resume(businesses.ours)
    stage.work()
    assert sorted(stage.wire.texts) == [f"Answer to Question {number}" for number in range(5)]


# --- The pages ---


def test_a_superuser_confirms_first(stage: Stage, businesses: TwoBusinesses) -> None:
    root, ours = businesses.browser("superuser"), businesses.ours
    assert f'href="{page(ours, "suspend")}"' in root.get(page(ours, "change")).content.decode()
    assert "Suspend Business ours?" in root.get(page(ours, "suspend")).content.decode()
    assert Tenant.objects.get(pk=ours.pk).is_active
    after = root.post(page(ours, "suspend"), {"note": NOTE}, follow=True).content.decode()
    assert "Business ours is suspended since" in after
    assert "by root" in after
    assert NOTE in after
    assert "Business ours is suspended" in root.get("/admin/conversations/conversation/").content.decode()
    root.get(page(ours, "resume"))
    assert not Tenant.objects.get(pk=ours.pk).is_active
    root.post(page(ours, "resume"))
    assert Tenant.objects.get(pk=ours.pk).is_active


@pytest.mark.parametrize("who", ["viewer", "operator", "owner", "stranger", "nobody"])
def test_nobody_else_can(businesses: TwoBusinesses, who: str) -> None:
    for name in ("suspend", "resume"):
        assert businesses.browser(who).post(page(businesses.ours, name)).status_code in (302, 403, 404)
    assert Tenant.objects.get(pk=businesses.ours.pk).is_active
    assert Client().post(page(businesses.ours, "suspend")).status_code == 302


def test_the_api_suspends_and_resumes_as_the_page_does(stage: Stage, businesses: TwoBusinesses) -> None:
    root = staff_client(businesses.people["superuser"])
    path = f"/api/admin/tenants/{businesses.ours.pk}"
    answer = root.patch(path, {"is_active": False}, content_type="application/json")
    assert answer.json()["is_active"] is False
    assert Tenant.objects.get(pk=businesses.ours.pk).suspended_by == businesses.people["superuser"]
    write(stage, "Hello?")
    assert root.patch(path, {"is_active": True}, content_type="application/json").json()["is_active"] is True
    stage.work()
    assert stage.wire.texts == ["Answer to Hello?"]


def test_a_business_that_is_being_deleted_isnt_resumed(businesses: TwoBusinesses) -> None:
    businesses.browser("superuser").post(page(businesses.ours, "delete"), {"post": "yes"})
    assert not state.resume(businesses.ours)
    assert not Tenant.objects.get(pk=businesses.ours.pk).is_active
