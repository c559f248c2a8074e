"""Conversations and messages for the tests of the desk."""

import datetime as dt
from typing import Any

from django.utils import timezone

from conversations.models import Conversation, ConversationMessage
from tenants.models import Tenant


def conversation(tenant: Tenant | None, number: str = "4915112345", **columns: Any) -> Conversation:
    columns.setdefault("last_inbound_at", timezone.now())
    columns.setdefault("last_message_at", timezone.now())
    return Conversation.objects.create(
        tenant=tenant or Tenant.objects.single(),
        phone_number_id=f"number-of-{tenant}",
        external_id=number,
        **columns,
    )


def owner(of: Conversation) -> Tenant:
    """The business of a conversation, which the contract lets be empty."""
    assert of.tenant is not None
    return of.tenant


def message(of: Conversation, text: str, role: str = "user", **columns: Any) -> ConversationMessage:
    origin = {"user": "customer"}.get(role, role)
    return ConversationMessage.objects.create(conversation=of, text=text, role=role, **{"origin": origin, **columns})


def many_messages(of: Conversation, count: int) -> None:
    start = timezone.now() - dt.timedelta(days=10)
    ConversationMessage.objects.bulk_create(
        ConversationMessage(
            conversation=of,
            text=f"message no. {number}.",
            role="user" if number % 2 else "assistant",
            created_at=start + dt.timedelta(seconds=number // 3),  # several at the same instant
        )
        for number in range(count)
    )
