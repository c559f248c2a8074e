"""Conversations and their messages: what was said, by whom, and how far it got.

The life of an outbound message (`ConversationMessage.status`)::

    queued -> sending -> sent -> delivered -> read        (delivered may be skipped: read implies it)
       ^         |  \\--> failed (code, detail)
       |         \\--> uncertain (no answer learned: the status webhook settles it, else a person)
       \\--- refused before a byte was sent, or throttled: again, with backoff

An inbound message has no status.

Whoever changes a conversation together with its messages or turns locks the conversation first: `lock()`. Two that
took them the other way round would wait for each other.
"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.functional import cached_property

from conversations.desk.notes import ConversationNote
from conversations.files.attachments import Attachment
from conversations.outbox.pauses import Pause
from tenants.models import Tenant

from .statuses import MessageQuerySet, Status

__all__ = [
    "Attachment",
    "ClockTimestamp",
    "Conversation",
    "ConversationMessage",
    "ConversationNote",
    "Pause",
    "Status",
    "lock",
]

WINDOW = dt.timedelta(hours=24)


def lock(**which: Any) -> None:
    """Lock conversations (a filter: `pk=…`, `messages=…`) in one order, until the transaction ends."""
    rows = Conversation.objects.select_for_update(of=("self",)).filter(**which).order_by("pk")
    list(rows.values_list("pk", flat=True))


class ClockTimestamp(Func):
    """The database's clock now. Now() is the start of the statement, which may have waited for a row lock:
    rows of one conversation, written under its lock, would get times out of order."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()


class Conversation(models.Model):
    """One contact talking with one business number on one channel."""

    class Handler(models.TextChoices):
        ASSISTANT = "assistant", "Assistant"
        OPERATOR = "operator", "A person"

    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="conversations", verbose_name="business"
    )
    channel = models.CharField(max_length=32, default="whatsapp", db_default="whatsapp")
    external_id = models.CharField(max_length=255, help_text="The contact's phone number; else the BSUID.")
    phone_number_id = models.CharField(
        "phone number ID", max_length=255, help_text="The business's number, as Meta names it."
    )
    is_active = models.BooleanField(
        "active", default=True, db_default=True, help_text="Off: the assistant says nothing here."
    )
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    contact_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    contact_user_id = models.CharField(
        max_length=255, null=True, blank=True, help_text="Meta's business-scoped user id (BSUID)."
    )
    handled_by = models.CharField(
        max_length=16, choices=Handler.choices, default=Handler.ASSISTANT, db_default=Handler.ASSISTANT.value
    )
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    person_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a person took it over, or wrote last."
    )
    last_inbound_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_message_at = models.DateTimeField(null=True, blank=True, editable=False)
    needs_person = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text="Why a person should look; empty: no need.",
    )
    needs_person_since = models.DateTimeField(null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The customer's later messages are unread."
    )

    class Meta:
        db_table = "conversations"
        unique_together = [("channel", "phone_number_id", "external_id")]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "phone_number_id", "contact_user_id"],
                condition=Q(contact_user_id__isnull=False),
                name="conversation_by_user_id",
            ),
        ]
        indexes = [
            # The desk's list, newest first: of one tenant, and of all.
            models.Index(F("tenant"), F("last_message_at").desc(nulls_last=True), name="conversation_of_tenant"),
            models.Index(F("last_message_at").desc(nulls_last=True), name="conversation_newest"),
            # The API's list, the last change first or last; a program asks for what changed since it asked.
            models.Index(F("tenant"), F("updated_at").desc(), F("id").desc(), name="conversation_by_change"),
            # The sweep: which ones does the assistant get back, after the time that their tenant sets?
            models.Index(
                fields=["tenant", "person_at"], name="conversation_with_person", condition=Q(handled_by="operator")
            ),
            # The desk's filter "needs a person".
            models.Index(
                fields=["tenant", "needs_person_since"],
                name="conversation_needs_person",
                condition=~Q(needs_person=""),
            ),
        ]

    def __str__(self) -> str:
        return self.contact_name or self.external_id

    @property
    def window_closes_at(self) -> dt.datetime | None:
        """When the channel stops taking free text: 24 hours after the customer's last message; None: never wrote.

        https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages#customer-service-windows
        """
        return self.last_inbound_at + WINDOW if self.last_inbound_at else None

    def window_is_open(self, margin: dt.timedelta = dt.timedelta(0)) -> bool:
        """Whether free text may be sent now, and for `margin` longer."""
        closes_at = self.window_closes_at
        return closes_at is not None and timezone.now() + margin < closes_at

    @cached_property
    def phone(self) -> str | None:
        """The contact's phone number, digits; None when Meta gave us only a BSUID."""
        return None if self.external_id == self.contact_user_id else self.external_id


class ConversationMessage(models.Model):
    """One message, in either direction; an outbound one is also its place in the outbox."""

    class Role(models.TextChoices):
        USER = "user", "Customer"
        ASSISTANT = "assistant", "Assistant"
        SYSTEM = "system", "System"

    class Origin(models.TextChoices):
        CUSTOMER = "customer", "Customer"
        ASSISTANT = "assistant", "Assistant"
        OPERATOR = "operator", "A person, from the desk"
        APP = "app", "A person, from the WhatsApp app"
        SYSTEM = "system", "System"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    role = models.CharField(max_length=16, choices=Role.choices)
    text = models.TextField(blank=True, default="", db_default="")
    raw_json = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    external_id = models.CharField(max_length=255, null=True, blank=True, help_text="Meta's message id (wamid).")
    kind = models.CharField(max_length=32, default="text", db_default="text")
    origin = models.CharField(max_length=16, choices=Origin.choices, default="", db_default="", blank=True)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="The channel's time.")
    reply_to = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="The wamid it quotes or is about."
    )
    edits = models.JSONField(default=list, db_default=[], blank=True, help_text="Former texts: [{text, until}].")
    revoked_at = models.DateTimeField(null=True, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    payload = models.JSONField(
        null=True, blank=True, help_text="Of ours, besides text: what is sent, see `conversations.outbox.contents`."
    )

    status = models.CharField(max_length=16, choices=Status.choices, blank=True, default="", db_default="")
    sending_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error_code = models.IntegerField(null=True, blank=True)
    error_detail = models.TextField(blank=True, default="", db_default="")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="Queued: not before this time.")
    woken_at = models.DateTimeField(null=True, blank=True, help_text="When the sweep last deferred a job for it.")

    objects = MessageQuerySet.as_manager()

    class Meta:
        db_table = "conversation_messages"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "external_id"],
                condition=Q(external_id__isnull=False),
                name="message_once_by_wamid",
            ),
            models.CheckConstraint(condition=Q(role__in=["user", "assistant", "system"]), name="message_role_known"),
            models.CheckConstraint(condition=Q(status__in=["", *Status.values]), name="message_status_known"),
        ]
        indexes = [
            # get_last_messages and the transcript: one scan whatever the length of the conversation.
            models.Index(F("conversation"), F("created_at").desc(), F("id").desc(), name="message_history"),
            # A status webhook that brings only the wamid.
            models.Index(fields=["external_id"], name="message_by_wamid", condition=Q(role="assistant")),
            # Did the edit or the revoke of a message come before the message?
            models.Index(
                fields=["conversation", "reply_to"],
                name="message_corrections",
                condition=Q(kind__in=["edit", "revoke"]),
            ),
            # The outbox: is anything of this conversation before me?
            models.Index(
                fields=["conversation", "id"],
                name="message_unsent",
                condition=Q(status__in=["queued", "sending"]),
            ),
            # The desk's search for a word that was written. The beginning alone: PostgreSQL refuses a row whose
            # words fill more than 1 MB, and no message may be lost for an index.
            GinIndex(SearchVector(Left("text", 10_000), config="simple"), name="message_words"),
            # The first page of the admin: the messages of the last days. Rows come in the order of time.
            BrinIndex(fields=["created_at"], name="message_by_time"),
            # The transcript: the reactions to the messages of a page.
            models.Index(fields=["conversation", "reply_to"], name="message_reactions", condition=Q(kind="reaction")),
            # The sweep: what is due, what is stuck.
            models.Index(fields=["next_attempt_at"], name="message_due", condition=Q(status="queued")),
            models.Index(fields=["sending_at"], name="message_stuck", condition=Q(status="sending")),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.text[:40]}"
