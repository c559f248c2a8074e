"""What an export contains: every table with data of a business is either in `TABLES` or, with the reason, left out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import FileField, Model, QuerySet

from api.models import ApiKey
from assistant.models import Assistant, DailyUsage, Turn, TurnStep
from audit.models import AuditEntry
from conversations.models import Attachment, Conversation, ConversationMessage, ConversationNote
from knowledge.models import Source, UnansweredQuestion
from leads.models import Lead, LeadField
from notifications.models import (
    NotificationDelivery,
    NotificationIncident,
    NotificationRecipient,
    NotificationSettings,
)
from privacy.models import Erasure, RetentionPolicy
from privacy.people import Person
from tenants.fields import EncryptedTextField
from tenants.models import Invitation, Membership, OpeningHours, SignInRules, Tenant
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from whatsapp.models import QuarantinedEvent, WhatsAppAccount

# Encrypted columns are secrets, and so are columns with these names.
SECRET = re.compile(r"(.*_)?(hash|secret|token|password)")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one model. `tenant` and `conversation` are the paths from a row to what it belongs to."""

    model: type[Model]
    tenant: str = "tenant"
    conversation: str = ""  # then it's walked through in the order of conversations, through their indexes
    of_person: "Callable[[Person], QuerySet[Model]] | None" = None  # if its rows are about people in another way
    only: Sequence[str] = ()  # the columns to export; empty: all but secrets
    without: Sequence[str] = ()
    at_once: int = 200  # rows to read in one query; fewer where one row may have megabytes

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def columns(self) -> list[str]:
        fields = [field for field in self.model._meta.concrete_fields if field.name not in self.without]
        return [
            field.attname
            for field in fields
            if (field.name in self.only if self.only else True)
            and not isinstance(field, EncryptedTextField)
            and not SECRET.fullmatch(field.name)
        ]

    @property
    def file(self) -> str:
        """The column with a stored file, or ""."""
        fields = [field for field in self.model._meta.concrete_fields if field.attname in self.columns]
        return next((field.name for field in fields if isinstance(field, FileField)), "")


TABLES = [
    Table(Tenant, tenant="pk"),
    Table(User, tenant="memberships__tenant", only=["id", "username", "first_name", "last_name", "email"]),
    Table(Membership),
    Table(Invitation),
    Table(SignInRules),
    Table(OpeningHours),
    Table(Assistant),
    Table(DailyUsage),
    Table(LeadField),
    Table(Source, at_once=10),
    Table(WhatsAppAccount),
    Table(ApiKey),
    Table(NotificationSettings),
    Table(NotificationRecipient, tenant="settings__tenant"),
    Table(RetentionPolicy),
    Table(Erasure),
    Table(Conversation, conversation="pk"),
    Table(ConversationNote, conversation="conversation"),
    Table(Lead, conversation="conversation"),
    Table(UnansweredQuestion, conversation="conversation"),
    Table(ConversationMessage, conversation="conversation", at_once=100),
    Table(Attachment, conversation="message__conversation", without=["preview"], at_once=50),
    Table(Turn, conversation="conversation"),
    Table(TurnStep, conversation="turn__conversation"),
    Table(QuarantinedEvent, of_person=Person.quarantined, at_once=10),
    Table(WebhookEndpoint),
    Table(WebhookEvent, of_person=Person.webhook_events),
    Table(WebhookDelivery, tenant="endpoint__tenant"),
    Table(NotificationIncident, of_person=Person.incidents),
    Table(NotificationDelivery),
    Table(AuditEntry),
]

# By the name of a model ("leads.Lead") or of its app, with the reason.
LEFT_OUT = {
    "admin.LogEntry": "Who changed what in the whole installation.",
    "auth": "Accounts of the installation. Members are exported by name, without passwords.",
    "contenttypes": "Django's list of models.",
    "sessions": "Secrets.",
    "axes": "Failed sign-ins of the whole installation.",
    "account": "Email addresses of users, which are exported with the users.",
    "mfa": "Secrets.",
    "socialaccount": "Secrets, and users' accounts elsewhere.",
    "usersessions": "Each user's own sessions.",
    "procrastinate": "The queue of work, with IDs only.",
    "accounts.CacheEntry": "Counters that expire within minutes.",
    "notifications.NotificationPreferences": "A user's own choices, for all their businesses.",
    "notifications.PushSubscription": "Secrets of a user's browsers.",
    "notifications.VapidKey": "A secret of the installation.",
    "conversations.DeskPreferences": "A user's own choices, for all their businesses.",
    "conversations.FileToRemove": "Files that are about to be deleted.",
    "conversations.Pause": "Of the installation: which services are paused.",
    "knowledge.Chunk": "Made from the sources, which are exported.",
    "knowledge.ChunkVector": "Made from the sources, which are exported.",
    "knowledge.FrequentTerm": "Made from the sources, which are exported.",
    "assistant.Dialect": "What a model's service has been found to support.",
    "whatsapp.DeliveryWindow": "A counter that limits deliveries.",
    "api.AdminToken": "A secret of a user.",
    "api.RateWindow": "A counter that limits requests.",
    "api.ClientWindow": "A counter that limits requests.",
    "api.IdempotentResponse": "Copies of messages, which are exported. Deleted after 24 hours.",
    "assistant.Restore": "When backups of the whole installation were restored.",
    "operations.MetricCount": "Counters of the whole installation.",
    "privacy.Export": "Exports themselves.",
    "privacy.ExportPart": "Exports themselves.",
    "sandbox": "Development only.",
}
