"""One row of every model for our business and one for theirs, marked so that a leak is visible on any page."""

import datetime as dt
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Model
from django.utils import timezone

from api.tests.clients import issue_key
from assistant.models import Assistant, Turn
from audit.models import AuditEntry
from conversations.models import ConversationNote, Pause
from conversations.tests.rows import conversation, message, owner
from knowledge.models import Source, UnansweredQuestion
from leads.models import Lead, LeadField
from notifications.models import NotificationDelivery, NotificationIncident, NotificationSettings
from privacy.models import Erasure, Export, RetentionPolicy
from tenants.models import Invitation, MemberRole, Membership, OpeningHours, SignInRules, Tenant
from tenants.tests.people import TwoBusinesses
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint, WebhookEvent
from whatsapp.models import QuarantinedEvent, WhatsAppAccount

THEIRS = "Zebra"  # in all their texts, and in none of ours
SECRET = "hush-hush"  # in every secret of both


def rows_of(tenant: Tenant, mark: str) -> dict[str, Model]:
    """By the path of the admin ("leads/lead"): one row that belongs to this tenant, its texts with the mark."""
    now = timezone.now()
    member = Membership.objects.filter(tenant=tenant).order_by("pk")[0]
    talk = conversation(tenant, f"49{tenant.pk}", contact_name=f"{mark} customer", needs_person=f"{mark} asked")
    asked = message(talk, f"{mark} question", external_id=f"wamid.{mark}")
    reply = message(talk, f"{mark} answer", "assistant", status="failed", error_detail=f"{mark} failure")
    ConversationNote.objects.create(conversation=talk, text=f"{mark} note")
    turn = Turn.objects.create(
        tenant=owner(talk),
        conversation=talk,
        state="failed",
        first_message=asked,
        last_message=asked,
        first_reply=reply,
        last_reply=reply,
        due_at=now,
        latest_due_at=now,
        error=f"{mark} error",
        outcome=f"{mark} outcome",
    )
    number: dict[str, Any] = {"tenant": tenant, "phone_number_id": f"number-of-{mark}"}
    event = {"reason": f"{mark} reason", "field": mark, "raw": {"text": mark}, "digest": mark}
    hook = WebhookEndpoint.objects.create(
        tenant=tenant, url=f"https://{mark}.example/".lower(), event_types=[EventType.NEEDS_PERSON], secret=SECRET
    )
    incident = NotificationIncident.objects.create(
        tenant=tenant, kind="handover", subject=f"conversation:{talk.pk}", title=f"{mark} needs an agent", text=mark
    )
    told = WebhookEvent.objects.create(tenant=tenant, type=EventType.NEEDS_PERSON, payload={"reason": f"{mark} reason"})
    return {
        "notifications/notificationsettings": NotificationSettings.objects.create(tenant=tenant),
        "notifications/notificationdelivery": NotificationDelivery.objects.create(
            tenant=tenant, incident=incident, user=member.user, channel="email", error=f"{mark} error"
        ),
        "webhooks/webhookendpoint": hook,
        "webhooks/webhookdelivery": WebhookDelivery.objects.create(event=told, endpoint=hook, error=f"{mark} error"),
        "tenants/tenant": tenant,
        "tenants/openinghours": OpeningHours.objects.create(tenant=tenant),
        "tenants/membership": member,
        "tenants/signinrules": SignInRules.objects.create(tenant=tenant),
        "tenants/invitation": Invitation.objects.create(
            tenant=tenant,
            email=f"{mark}@invited.test",
            role=MemberRole.VIEWER,
            invited_by=member.user,
            expires_at=now + dt.timedelta(days=1),
        ),
        "api/apikey": issue_key(member.user, tenant, f"{mark} key")[0],
        "conversations/conversation": talk,
        "conversations/conversationmessage": reply,
        "leads/lead": Lead.objects.create(
            tenant=tenant, conversation=talk, name=f"{mark} lead", source=mark, first_text=mark, fields={"size": mark}
        ),
        "privacy/erasure": Erasure.objects.create(tenant=tenant, finished_at=now),
        "audit/auditentry": AuditEntry.objects.create(
            tenant=tenant, actor_kind="person", actor=f"{mark} person", action="changed", object=f"{mark} settings"
        ),
        "privacy/export": Export.objects.create(tenant=tenant, finished_at=now, expires_at=now + dt.timedelta(days=1)),
        "privacy/retentionpolicy": RetentionPolicy.objects.create(tenant=tenant, messages_days=400),
        "leads/leadfield": LeadField.objects.create(tenant=tenant, name="size", description=f"{mark} size"),
        "knowledge/source": Source.objects.create(
            tenant=tenant, kind="page", title=f"{mark} page", url=f"https://{mark}.example/", text=mark, error=mark
        ),
        "knowledge/unansweredquestion": UnansweredQuestion.objects.create(
            tenant=tenant, conversation=talk, message_id=asked.pk, text=f"{mark} question?"
        ),
        "assistant/assistant": Assistant.objects.create(
            tenant=tenant, instructions=f"{mark} instructions", model=mark, api_key=f"sk-{SECRET}"
        ),
        "assistant/turn": turn,
        "whatsapp/whatsappaccount": WhatsAppAccount.objects.create(
            **number, display_phone_number=f"{mark} number", access_token=SECRET, app_secret=SECRET
        ),
        "whatsapp/quarantinedevent": QuarantinedEvent.objects.create(**number, **event),
    }


def rows_of_the_installation(businesses: TwoBusinesses) -> dict[str, Model]:
    """What belongs to no tenant: for superusers."""
    return {
        "auth/user": businesses.people["stranger"],
        "auth/group": Group.objects.create(name=f"{THEIRS} group"),
        "conversations/pause": Pause.objects.create(scope="number:1", reason=f"{THEIRS} pause"),
    }


def two_businesses() -> TwoBusinesses:
    businesses = TwoBusinesses()
    businesses.theirs.name, businesses.theirs.slug = f"{THEIRS} & Co", "zebra"
    businesses.theirs.save()
    stranger = businesses.people["stranger"]
    stranger.username, stranger.email = f"{THEIRS}-owner", f"{THEIRS}@example.test"
    stranger.save()
    return businesses
