"""Conversations and their messages.

The life of an outbound message (`ConversationMessage.status`)::

    queued -> sending -> sent -> delivered -> read        (delivered may be skipped: read implies it)
       ^         |  \\--> failed (code, detail)
       |         \\--> uncertain (no response: a status webhook settles it, or someone on the team)
       \\--- not connected, or throttled: retried with backoff

An inbound message has no status.

To change a conversation together with its messages or turns, lock the conversation first, with `lock()`. Taking the
locks in the opposite order would deadlock.
"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import MD5
from django.utils import timezone
from django.utils.functional import cached_property

from conversations.desk.notes import ConversationNote
from conversations.desk.preferences import DeskPreferences
from conversations.files.attachments import Attachment
from conversations.files.removal import FileToRemove
from conversations.outbox.pauses import Pause
from runtime.untrusted_json import one_line
from tenants.models import Tenant

from .choices import GROUP, ConversationHandler, HandoverReason, MessageKind, MessageOrigin, MessageRole, Status
from .search_functions import RecallWords, Words

__all__ = [
    "Attachment",
    "ClockTimestamp",
    "Conversation",
    "ConversationMessage",
    "ConversationNote",
    "DeskPreferences",
    "FileToRemove",
    "Pause",
    "Status",
    "lock",
]

WINDOW = dt.timedelta(hours=24)


def lock(**which: Any) -> None:
    """Lock the conversations that match the filter (`pk=…`, `messages=…`) by ID, until the transaction ends."""
    rows = Conversation.objects.select_for_update(of=("self",)).filter(**which).order_by("pk")
    list(rows.values_list("pk", flat=True))


class ClockTimestamp(Func):
    """The database's current time. Now() is the start of the statement, which may have waited for the conversation's
    lock: messages stored under that lock would get times out of order."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()


class Conversation(models.Model):
    """One contact's conversation with one business number on one channel."""

    Handler = ConversationHandler

    tenant = models.ForeignKey(
        Tenant,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="conversations",
        verbose_name="business",
        db_index=False,
    )
    channel = models.CharField(max_length=32, default="whatsapp", db_default="whatsapp")
    external_id = models.CharField(
        "contact ID", max_length=255, help_text="The contact's phone number, or the BSUID if the number is unknown."
    )
    phone_number_id = models.CharField(
        "phone number ID", max_length=255, help_text="Meta's ID of the business's number."
    )
    is_active = models.BooleanField(
        "assistant enabled", default=True, db_default=True, help_text="When off, the assistant doesn't reply here."
    )
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    contact_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    contact_user_id = models.CharField(
        "BSUID", max_length=255, null=True, blank=True, help_text="Meta's business-scoped user ID (BSUID)."
    )
    handled_by = models.CharField(
        max_length=16,
        choices=ConversationHandler.choices,
        default=ConversationHandler.ASSISTANT,
        db_default=ConversationHandler.ASSISTANT.value,
    )
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    person_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When someone took it over, or last wrote in it."
    )
    last_inbound_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_message_at = models.DateTimeField(null=True, blank=True, editable=False)
    needs_person = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="Why it needs attention. Empty if it doesn't."
    )
    needs_person_since = models.DateTimeField(null=True, blank=True, editable=False)
    # Of the last time that the assistant handed over; they count for as long as the conversation is flagged.
    handover_reason = models.CharField(
        max_length=16, choices=HandoverReason.choices, blank=True, default="", db_default="", editable=False
    )
    handover_summary = models.TextField(blank=True, default="", db_default="", editable=False)
    seen_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The customer's messages after this time are unread."
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
            models.CheckConstraint(
                condition=Q(handover_reason__in=["", *HandoverReason.values]), name="conversation_handover_reason_known"
            ),
            models.CheckConstraint(
                condition=Q(handled_by__in=ConversationHandler.values), name="conversation_handler_known"
            ),
        ]
        indexes = [
            # The desk's list of one tenant, newest first.
            models.Index(F("tenant"), F("last_message_at").desc(nulls_last=True), name="conversation_of_tenant"),
            # The desk's list of all tenants, newest first.
            models.Index(F("last_message_at").desc(nulls_last=True), name="conversation_newest"),
            # The API's list, ordered by change: clients ask for what changed since their last request.
            models.Index(F("tenant"), F("updated_at").desc(), F("id").desc(), name="conversation_by_change"),
            # Automatic hand-back, after the time that the tenant has set.
            models.Index(
                fields=["tenant", "person_at"], name="conversation_with_person", condition=Q(handled_by="operator")
            ),
            # Deleting a user.
            models.Index(fields=["operator"], name="conversation_by_operator", condition=Q(operator__isnull=False)),
            # The desk's filter for conversations that need attention.
            models.Index(
                fields=["tenant", "needs_person_since"], name="conversation_needs_person", condition=~Q(needs_person="")
            ),
        ]

    def __str__(self) -> str:
        return one_line(self.contact_name, 255) or self.external_id

    @property
    def is_group(self) -> bool:
        """Whether several customers write here. The assistant stays silent in groups."""
        return self.external_id.startswith(GROUP)

    @property
    def window_closes_at(self) -> dt.datetime | None:
        """When the 24-hour customer service window closes. None if the customer has never written.

        https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages#customer-service-windows
        """
        return self.last_inbound_at + WINDOW if self.last_inbound_at else None

    def window_is_open(self, margin: dt.timedelta = dt.timedelta(0)) -> bool:
        """Whether free-form messages can be sent now, and for `margin` longer."""
        closes_at = self.window_closes_at
        return closes_at is not None and timezone.now() + margin < closes_at

    @cached_property
    def phone(self) -> str | None:
        """The contact's phone number in digits. None if Meta only sent a BSUID."""
        return None if self.external_id == self.contact_user_id else self.external_id


class ConversationMessage(models.Model):
    """One message in either direction. An outbound message is also its own entry in the outbox."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False)
    role = models.CharField(max_length=16, choices=MessageRole.choices)
    text = models.TextField(blank=True, default="", db_default="")
    raw_json = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    external_id = models.CharField(max_length=255, null=True, blank=True, help_text="Meta's message ID (wamid).")
    kind = models.CharField(
        max_length=32, choices=MessageKind.choices, default=MessageKind.TEXT, db_default=MessageKind.TEXT.value
    )
    origin = models.CharField(max_length=16, choices=MessageOrigin.choices, default="", db_default="", blank=True)
    signed_by = ArrayField(
        models.BigIntegerField(),
        null=True,
        blank=True,
        help_text="Received: the accounts whose own app signed the webhook. Empty: the app of this installation.",
    )
    sent_at = models.DateTimeField(null=True, blank=True, help_text="The channel's time.")
    reply_to = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="The wamid of the message it quotes or edits."
    )
    spoken = models.TextField(blank=True, default="", db_default="", help_text="What its voice note says.")
    edits = models.JSONField(default=list, db_default=[], blank=True, help_text="Previous texts: [{text, until}].")
    revoked_at = models.DateTimeField(null=True, blank=True)
    refused = models.TextField(
        blank=True, default="", db_default="", help_text="Why the model's service refuses it. The model isn't shown it."
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    form_token = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        editable=False,
        help_text="Of the form that sent it: one form sends one message, however often it's submitted.",
    )

    payload = models.JSONField(
        null=True, blank=True, help_text="What we send, if it isn't plain text. See `conversations.outbox.contents`."
    )

    # Of outgoing messages: whose they are. They're claimed per business, through an index.
    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="+", db_index=False
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
    details: dict[str, Any]  # with `history.details.with_details`

    class Meta:
        db_table = "conversation_messages"
        verbose_name = "message"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "external_id"],
                condition=Q(external_id__isnull=False),
                name="message_once_by_wamid",
            ),
            models.UniqueConstraint(
                fields=["conversation", "form_token"],
                condition=Q(form_token__isnull=False),
                name="message_once_by_form",
            ),
            models.CheckConstraint(condition=Q(role__in=MessageRole.values), name="message_role_known"),
            models.CheckConstraint(condition=Q(origin__in=["", *MessageOrigin.values]), name="message_origin_known"),
            models.CheckConstraint(condition=Q(status__in=["", *Status.values]), name="message_status_known"),
        ]
        indexes = [
            # get_last_messages and the transcript: one scan, however long the conversation is.
            models.Index(F("conversation"), F("created_at").desc(), F("id").desc(), name="message_history"),
            # Status webhooks, which may contain only the wamid.
            models.Index(fields=["external_id"], name="message_by_wamid", condition=Q(role="assistant")),
            # Storing a message: did its edit or deletion arrive first?
            models.Index(
                fields=["conversation", "reply_to"],
                name="message_corrections",
                condition=Q(kind__in=["edit", "revoke"]),
            ),
            # The outbox: is an earlier message of the conversation still unsent?
            models.Index(
                fields=["conversation", "id"], name="message_unsent", condition=Q(status__in=["queued", "sending"])
            ),
            # Search, and recall in one conversation. The functions bound the words: no message is lost because of them.
            GinIndex(Words("text"), name="message_search"),
            GinIndex(RecallWords(), name="message_recall"),
            # The dashboard: the last days. Rows are stored in order of time.
            BrinIndex(fields=["created_at"], name="message_by_time"),
            # The transcript: reactions.
            models.Index(fields=["conversation", "reply_to"], name="message_reactions", condition=Q(kind="reaction")),
            # Echoes: who else got this text from the WhatsApp app?
            models.Index(MD5("text"), name="message_echoed", condition=Q(origin__in=["app", "automatic"])),
            # Deleting a user.
            models.Index(fields=["author"], name="message_by_author", condition=Q(author__isnull=False)),
            # The claim: each business's due messages; messages stuck in *sending*.
            models.Index(fields=["tenant", "next_attempt_at"], name="message_due", condition=Q(status="queued")),
            models.Index(fields=["sending_at"], name="message_stuck", condition=Q(status="sending")),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.text[:40]}"
