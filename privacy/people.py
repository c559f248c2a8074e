"""One person at one business, and which rows are about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from api.models import IdempotentResponse
from conversations import notifying
from conversations.choices import GROUP
from conversations.models import Attachment, Conversation, ConversationMessage
from knowledge.models import Source, UnansweredQuestion
from notifications.models import NotificationIncident
from tenants.models import Tenant
from webhooks.models import EventType, WebhookEvent
from whatsapp.models import QuarantinedEvent


@dataclass(frozen=True, slots=True)
class Person:
    """Their conversations with all the business's numbers, and how they're identified there."""

    tenant_id: int
    identifiers: Sequence[str]
    conversations: Sequence[int]

    def __str__(self) -> str:
        return self.identifiers[0]

    def summary(self) -> str:
        """How much there is about them, in words."""
        messages = ConversationMessage.objects.filter(conversation__in=self.conversations)
        counts = {
            "conversations": len(self.conversations),
            "messages": messages.count() + self.in_groups().count(),
            "files": Attachment.objects.filter(message__in=messages).count(),
            "quarantined events": self.quarantined().count(),
            "answers in the knowledge with their question as the title": self.knowledge().count(),
        }
        return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)

    def knowledge(self) -> "QuerySet[Source]":
        """Answers that were added to the knowledge under exactly what this person asked."""
        asked = UnansweredQuestion.objects.filter(conversation__in=self.conversations)
        return Source.objects.filter(tenant=self.tenant_id, kind=Source.Kind.QUESTION, title__in=asked.values("text"))

    def in_groups(self) -> "QuerySet[ConversationMessage]":
        """What they wrote in groups."""
        by_them = Q(raw_json__from__in=self.identifiers) | Q(raw_json__from_user_id__in=self.identifiers)
        return ConversationMessage.objects.filter(
            by_them, conversation__tenant=self.tenant_id, conversation__external_id__startswith=GROUP
        )

    def quarantined(self) -> "QuerySet[QuarantinedEvent]":
        events: QuerySet[QuarantinedEvent] = self._with_text(QuarantinedEvent, "raw")
        return events

    def webhook_events(self) -> "QuerySet[WebhookEvent]":
        of_person = (
            Q(payload__conversation__id__in=self.conversations)
            | Q(payload__conversation__external_id__in=self.identifiers)
            | Q(type=EventType.MESSAGE_RECEIVED, subject__in=self.in_groups().values("pk"))
        )
        return WebhookEvent.objects.filter(of_person, tenant=self.tenant_id)

    def incidents(self) -> "QuerySet[NotificationIncident]":
        return NotificationIncident.objects.filter(
            tenant=self.tenant_id, subject__in=notifying.subjects(self.conversations)
        )

    def stored_responses(self) -> "QuerySet[IdempotentResponse]":
        of_conversations = IdempotentResponse.objects.filter(
            tenant=self.tenant_id, body__conversation__in=self.conversations
        )
        return self._with_text(IdempotentResponse, "body") | of_conversations

    def _with_text(self, model: type[Model], column: str) -> "QuerySet[Any]":
        """Rows whose JSON has one of their identifiers as a value."""
        texts = Q()
        for identifier in self.identifiers:
            texts |= Q(json_text__contains=f'"{identifier}"')
        rows = model._base_manager.annotate(json_text=Cast(column, TextField()))
        return rows.filter(texts, tenant=self.tenant_id)


def find(tenant: Tenant, typed: str) -> Person | None:
    """The person with this phone number or WhatsApp user ID, as someone typed it."""
    identifier = "".join(typed.split()).removeprefix("+")
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
    person = Person(tenant.pk, [identifier, *sorted(identifiers - {identifier})], conversations)
    is_known = conversations or person.quarantined().exists() or person.in_groups().exists()
    return person if is_known else None
