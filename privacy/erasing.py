"""Erasing one person: everything that a business knows about them, everywhere, with a receipt."""

from collections import Counter
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from conversations.models import Conversation
from leads.models import Lead
from runtime.jobs import BATCH

from . import rows
from .models import Erasure, Export
from .people import Person

ERASED_NAME = "(erased)"


def request(person: Person, requested_by: Any) -> Erasure:
    """Have the workers erase them. From now on, the assistant doesn't answer them."""
    with transaction.atomic():
        Conversation.objects.filter(pk__in=person.conversations).update(is_active=False)
        leads = Lead.objects.filter(conversation__in=person.conversations).values_list("pk", flat=True)
        return Erasure.objects.create(
            tenant_id=person.tenant_id,
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
    person = Person(erasure.tenant_id, erasure.identifiers, erasure.conversations)
    return [
        person.knowledge(),  # before the questions that lead to it
        Conversation.objects.filter(pk__in=erasure.conversations),
        person.webhook_events(),
        person.in_groups(),  # after the events of these messages
        person.quarantined(),
        person.incidents(),
        person.stored_responses(),
        # At the end: whatever was read before is in an export that's deleted here, or can't be recorded any more.
        Export.objects.filter(
            Q(conversations=None)
            | Q(conversations__overlap=erasure.conversations)
            | Q(identifiers__overlap=erasure.identifiers),
            tenant=erasure.tenant,
        ),
    ]


def _clear_names(erasure: Erasure) -> None:
    """The admin's log still says that something was changed, but not whom it was about."""
    for model, ids in ((Conversation, erasure.conversations), (Lead, erasure.leads)):
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(model), object_id__in=[str(pk) for pk in ids]
        )
        entries.update(object_repr=ERASED_NAME, change_message="")
