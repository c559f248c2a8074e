"""Removes what checks such as `conformance` and `verify_chat_history` leave behind."""

import datetime as dt
from collections.abc import Collection

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from conversations import notifying
from conversations.models import Conversation
from whatsapp.models import QuarantinedEvent

TRIES = 5


def forget(phone_number_id: str, customers: Collection[str], since: dt.datetime) -> None:
    """customers: phone numbers and BSUIDs that exist only for the check. since: when it began."""
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                _delete(phone_number_id, customers, since)
            return
        except IntegrityError:  # a late message has just been added to one of the conversations
            if not left:
                raise


def _delete(phone_number_id: str, customers: Collection[str], since: dt.datetime) -> None:
    theirs = Q(external_id__in=customers) | Q(contact_user_id__in=customers)
    conversations = Conversation.objects.filter(theirs, phone_number_id=phone_number_id)
    notifying.forget(list(conversations.values_list("pk", flat=True)))
    conversations.delete()
    # Broken items have no number.
    QuarantinedEvent.objects.filter(created_at__gte=since, phone_number_id__in=["", phone_number_id]).delete()
    if settings.SANDBOX:
        on_phone = apps.get_model("sandbox", "Customer")._default_manager
        on_phone.filter(Q(phone__in=customers) | Q(user_id__in=customers)).delete()
