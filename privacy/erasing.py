"""Erasing one person: everything that a business knows about them, everywhere, with a receipt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast, Now

from api.models import IdempotentResponse
from conversations import notifying
from conversations.models import Attachment, Conversation, ConversationMessage
from leads.models import Lead
from notifications.models import NotificationIncident
from runtime.jobs import BATCH
from tenants.models import Tenant
from webhooks.models import WebhookEvent
from whatsapp.models import QuarantinedEvent

from . import rows
from .models import Erasure

ERASED_NAME = "(erased)"


@dataclass(frozen=True, slots=True)
class Person:
    """One person at one business: their conversations with all its numbers, and how they're identified there."""

    tenant: Tenant
    identifiers: Sequence[str]
    conversations: Sequence[int]

    def __str__(self) -> str:
        return self.identifiers[0]

    def summary(self) -> str:
        """What would be erased, as text."""
        messages = ConversationMessage.objects.filter(conversation__in=self.conversations)
        counts = {
            "conversations": len(self.conversations),
            "messages": messages.count(),
            "files": Attachment.objects.filter(message__in=messages).count(),
            "quarantined events": _quarantined(self.tenant.pk, self.identifiers).count(),
        }
        return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def find(tenant: Tenant, identifier: str) -> Person | None:
    """The person with this phone number or WhatsApp user ID."""
    identifiers = {identifier}
    while True:  # whom one number knows by both may be known to another by the ID alone
        met = Conversation.objects.filter(
            Q(external_id__in=identifiers) | Q(contact_user_id__in=identifiers), tenant=tenant
        )
        found = {name for pair in met.values_list("external_id", "contact_user_id") for name in pair if name}
        if found <= identifiers:
            break
        identifiers |= found
    conversations = list(met.order_by("pk").values_list("pk", flat=True))
    names = [identifier, *sorted(identifiers - {identifier})]
    if not conversations and not _quarantined(tenant.pk, names).exists():
        return None
    return Person(tenant, names, conversations)


def request(person: Person, requested_by: Any) -> Erasure:
    """Have the workers erase them. From now on, the assistant doesn't answer them."""
    with transaction.atomic():
        Conversation.objects.filter(pk__in=person.conversations).update(is_active=False)
        leads = Lead.objects.filter(conversation__in=person.conversations).values_list("pk", flat=True)
        return Erasure.objects.create(
            tenant=person.tenant,
            requested_by=requested_by,
            identifiers=list(person.identifiers),
            conversations=list(person.conversations),
            leads=list(leads),
        )


def erase_some() -> int:
    """Erase the next batch of the oldest erasure, together with its entry in the receipt: how many rows that were."""
    with transaction.atomic():
        waiting = Erasure.objects.filter(finished_at=None).order_by("requested_at")
        erasure = waiting.select_for_update(skip_locked=True).first()
        if erasure is None:
            return 0
        # The usual order: conversations before turns and messages.
        list(Conversation.objects.select_for_update().filter(pk__in=erasure.conversations).order_by("pk").values("pk"))
        deleted: rows.Deleted = Counter()
        for each in _rows(erasure):
            if deleted.total() < BATCH:
                deleted += rows.delete_some(each, BATCH - deleted.total())
        erasure.erased = dict(Counter(erasure.erased) + deleted)
        if deleted.total() < BATCH:
            _clear_names(erasure)
            erasure.identifiers, erasure.leads, erasure.finished_at = [], [], Now()
        erasure.save()
        return deleted.total()


def _rows(erasure: Erasure) -> "list[QuerySet[Any]]":
    """What is deleted, in this order. Everything of a conversation depends on it."""
    of_person = Q(payload__conversation__id__in=erasure.conversations) | Q(
        payload__conversation__external_id__in=erasure.identifiers
    )
    return [
        Conversation.objects.filter(pk__in=erasure.conversations),
        _quarantined(erasure.tenant_id, erasure.identifiers),
        WebhookEvent.objects.filter(of_person, tenant=erasure.tenant),
        NotificationIncident.objects.filter(
            tenant=erasure.tenant, subject__in=notifying.subjects(erasure.conversations)
        ),
        _with_text(IdempotentResponse, "body", erasure.identifiers).filter(tenant=erasure.tenant)
        | IdempotentResponse.objects.filter(tenant=erasure.tenant, body__conversation__in=erasure.conversations),
    ]


def _quarantined(tenant_id: int, identifiers: Sequence[str]) -> "QuerySet[QuarantinedEvent]":
    events: QuerySet[QuarantinedEvent] = _with_text(QuarantinedEvent, "raw", identifiers).filter(tenant=tenant_id)
    return events


def _with_text(model: type[Model], column: str, identifiers: Sequence[str]) -> "QuerySet[Any]":
    """Rows whose JSON has one of these as a value."""
    texts = Q()
    for identifier in identifiers:
        texts |= Q(json_text__contains=f'"{identifier}"')
    return model._base_manager.annotate(json_text=Cast(column, TextField())).filter(texts)


def _clear_names(erasure: Erasure) -> None:
    """The admin's log still says that something was changed, but not whom it was about."""
    for model, ids in ((Conversation, erasure.conversations), (Lead, erasure.leads)):
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(model), object_id__in=[str(pk) for pk in ids]
        )
        entries.update(object_repr=ERASED_NAME, change_message="")
