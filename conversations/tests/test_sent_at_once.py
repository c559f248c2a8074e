"""The one statement that notes a sent message, held against the steps that do it otherwise."""

from typing import Any

import pytest

from conversations.models import ConversationMessage, Status
from conversations.outbox import queue as outbox
from conversations.outbox import sent_at_once
from conversations.tests.rows import conversation
from tenants.models import Tenant
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db(transaction=True)


def being_sent(tenant: Tenant | None, number: str, status: str = Status.SENDING) -> ConversationMessage:
    message = outbox.send(conversation(tenant, number), "Yes.")[0]
    ConversationMessage.objects.filter(pk=message.pk).update(status=status, error_code=4, error_detail="earlier")
    return message


def columns(message: ConversationMessage) -> dict[str, Any]:
    row: dict[str, Any] = {**ConversationMessage.objects.filter(pk=message.pk).values().get()}
    assert row.pop("sent_at") is not None
    different = ("id", "conversation_id", "created_at", "next_attempt_at")
    return {name: value for name, value in row.items() if name not in different}


def test_it_writes_what_the_steps_write() -> None:
    one, other = being_sent(None, "1"), being_sent(None, "2")
    assert sent_at_once.note(one.pk, "wamid.out")
    outbox._record_step_by_step(other.pk, "wamid.out")
    assert columns(one) == columns(other)


@pytest.mark.parametrize("status", sorted(set(Status.values) - {Status.SENDING}))
def test_it_moves_nothing_that_is_not_being_sent(status: str) -> None:
    message = being_sent(None, "1", status)
    assert not sent_at_once.note(message.pk, "wamid.out")
    message.refresh_from_db()
    assert (message.status, message.external_id) == (status, None)


@pytest.mark.parametrize("has_tenant", [True, False])
@pytest.mark.parametrize(
    ("listener", "is_told"),
    [({}, True), ({"is_active": False}, False), ({"event_types": ["lead.created"]}, False), ({"other": True}, False)],
)
def test_it_leaves_to_the_steps_what_a_webhook_is_told_of(
    has_tenant: bool, listener: dict[str, Any], is_told: bool
) -> None:
    ours = Tenant.objects.create(name="Ours", slug="ours") if has_tenant else Tenant.objects.single()
    theirs = Tenant.objects.create(name="Theirs", slug="theirs")
    known = {"event_types": ["reply.sent"], "is_active": True, **listener}
    owner = theirs if known.pop("other", False) else ours
    WebhookEndpoint.objects.create(tenant=owner, url="https://example.com/hook", **known)
    assert sent_at_once.note(being_sent(ours, "1").pk, "wamid.out") is not is_told
