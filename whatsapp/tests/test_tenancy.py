"""Several businesses on one installation: routed by number, verified by secret, and isolated."""

from typing import Any

import pytest

from assistant.models import Assistant, Turn
from conversations.history.messages import get_or_create_conversation
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import queue as outbox
from leads.models import Lead
from tenants.models import Tenant
from tests.stage import SECRET, Stage
from whatsapp.models import QuarantinedEvent, WhatsAppAccount
from whatsapp.tests.factories import change, delivery, inbound, status, text_message
from whatsapp.webhook import ingest as inbound_module

OWN = "the secret of north's own app"


@pytest.fixture
def north(stage: Stage, settings: Any) -> WhatsAppAccount:
    settings.MULTITENANT_ENABLED = True
    tenant = Tenant.objects.create(name="North", slug="north")
    return WhatsAppAccount.objects.create(tenant=tenant, phone_number_id="1001", access_token="north-token")


@pytest.fixture
def south(north: WhatsAppAccount) -> WhatsAppAccount:
    tenant = Tenant.objects.create(name="South", slug="south")
    return WhatsAppAccount.objects.create(tenant=tenant, phone_number_id="2002", access_token="south-token")


def reasons() -> list[str]:
    return list(QuarantinedEvent.objects.order_by("id").values_list("reason", flat=True))


def test_each_change_goes_to_the_tenant_of_its_number(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    stage.converse(
        delivery(
            change(messages=[text_message("to north")], phone_number_id="1001"),
            change(messages=[text_message("to south")], phone_number_id="2002"),
        )
    )
    owners = dict(ConversationMessage.objects.filter(role="user").values_list("text", "conversation__tenant__name"))
    assert owners == {"to north": "North", "to south": "South"}
    assert set(Lead.objects.values_list("tenant__name", flat=True)) == {"North", "South"}


def test_each_tenant_has_its_own_instructions_model_and_key(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    Assistant.objects.create(tenant=north.tenant, instructions="You are North.", model="north-model")
    stage.converse(inbound(text_message(), phone_number_id="1001"))
    stage.converse(inbound(text_message(), phone_number_id="2002"))
    assert stage.wire.asked[0]["messages"][0]["content"] == "You are North."
    assert stage.wire.asked[0]["model"] == "north-model"
    assert "North" not in str(stage.wire.asked[1])


def test_an_unknown_or_inactive_number_is_quarantined_and_stored_by_replay_later(
    stage: Stage, north: WhatsAppAccount
) -> None:
    WhatsAppAccount.objects.update(is_active=False)
    stage.post(inbound(text_message("Hello"), phone_number_id="1001"))
    assert reasons() == ["unknown phone_number_id"]
    assert not Conversation.objects.exists()

    event = QuarantinedEvent.objects.get()
    assert inbound_module.replay(event) == "unknown phone_number_id"
    WhatsAppAccount.objects.update(is_active=True)
    assert inbound_module.replay(event) == ""
    event.refresh_from_db()
    assert event.resolved_at is not None
    stage.work()
    assert stage.wire.texts == ["Answer to Hello"]


def test_a_number_with_its_own_secret_only_accepts_what_that_app_signed(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    north.app_secret = OWN
    north.save(update_fields=["app_secret"])
    stage.post(inbound(text_message("forged"), phone_number_id="1001"), secret=SECRET)
    assert reasons() == ["signed by another app"]
    assert QuarantinedEvent.objects.get().tenant is None, "the forger's text is not for North's eyes"
    assert stage.post(inbound(text_message("true"), phone_number_id="1001"), secret=OWN).status_code == 200
    assert ConversationMessage.objects.get().text == "true"


def test_an_app_of_one_tenant_cannot_write_to_another(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    north.app_secret = OWN
    north.save(update_fields=["app_secret"])
    forged = change(messages=[text_message("forged")], phone_number_id="2002")
    assert stage.post(delivery(forged), secret=OWN).status_code == 403
    beside = change(messages=[text_message("true")], phone_number_id="1001")
    assert stage.post(delivery(forged, beside), secret=OWN).status_code == 200
    assert reasons() == ["signed by another app"]
    assert ConversationMessage.objects.get().text == "true"


def test_an_app_of_one_tenant_cannot_advance_anothers_message(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    north.app_secret = OWN
    north.save(update_fields=["app_secret"])
    stage.converse(inbound(text_message(), phone_number_id="2002"))
    reply = ConversationMessage.objects.get(role="assistant")
    for number in ("1001", "2002"):
        told = status("failed", wamid=reply.external_id, message_id=reply.pk)
        stage.post(delivery(change(statuses=[told], phone_number_id=number)), secret=OWN)
    reply.refresh_from_db()
    assert reply.status == "sent"


def test_a_wamid_of_one_tenant_does_not_block_anothers(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    for number in ("1001", "2002"):
        stage.post(inbound(text_message("x", id="wamid.same"), phone_number_id=number))
    assert ConversationMessage.objects.count() == 2


def test_a_number_that_went_to_another_tenant_does_not_bring_the_old_conversations(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    stage.post(inbound(text_message("for north"), phone_number_id="1001"))
    WhatsAppAccount.objects.filter(pk=north.pk).update(tenant=south.tenant)
    stage.post(inbound(text_message("for south"), phone_number_id="1001"))
    assert [m.text for m in ConversationMessage.objects.all()] == ["for north"]
    assert reasons() == ["conversation of another tenant"]
    with pytest.raises(Conversation.DoesNotExist):
        get_or_create_conversation(south.tenant_id, "1001", Conversation.objects.get().external_id)


def test_the_earlier_owner_of_a_number_cannot_send_from_it(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    stage.converse(inbound(text_message("for north"), phone_number_id="1001"))
    WhatsAppAccount.objects.filter(pk=north.pk).update(tenant=south.tenant)
    outbox.send(Conversation.objects.get(), "Are you still there?")
    stage.work()
    assert stage.wire.texts == ["Answer to for north"]
    late = ConversationMessage.objects.latest("pk")
    assert (late.status, late.error_detail) == ("failed", "This number belongs to another business now.")


def test_a_delivery_does_not_adopt_a_conversation_without_a_tenant(stage: Stage, north: WhatsAppAccount) -> None:
    stage.post(inbound(text_message("before"), phone_number_id="1001"))
    Conversation.objects.update(tenant=None)
    stage.post(inbound(text_message("after"), phone_number_id="1001"))
    assert Conversation.objects.get().tenant is None
    assert [m.text for m in ConversationMessage.objects.all()] == ["before"]
    assert reasons() == ["conversation of another tenant"]


def test_the_single_business_keeps_its_conversations_when_there_are_several(
    stage: Stage, north: WhatsAppAccount, settings: Any
) -> None:
    settings.MULTITENANT_ENABLED = False
    stage.post(inbound(text_message("before"), phone_number_id="1001"))
    assert Conversation.objects.get().tenant == Tenant.objects.single()
    settings.MULTITENANT_ENABLED = True
    stage.post(inbound(text_message("after"), phone_number_id="1001"))
    assert [m.text for m in ConversationMessage.objects.all()] == ["before"]


def test_an_inactive_tenant_is_stored_but_not_answered(stage: Stage, north: WhatsAppAccount) -> None:
    Tenant.objects.update(is_active=False)
    stage.converse(inbound(text_message("Hello"), phone_number_id="1001"))
    assert ConversationMessage.objects.get().text == "Hello"
    assert Turn.objects.get().outcome == "business inactive"


def test_the_reply_goes_out_with_the_token_of_its_own_account(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    stage.converse(inbound(text_message(), phone_number_id="1001"))
    stage.converse(inbound(text_message(), phone_number_id="2002"))
    assert stage.wire.tokens == ["Bearer north-token", "Bearer south-token"]


def test_the_account_shows_when_meta_last_delivered_with_the_right_signature(
    stage: Stage, north: WhatsAppAccount, south: WhatsAppAccount
) -> None:
    south.app_secret = OWN
    south.save(update_fields=["app_secret"])
    for number in ("1001", "2002"):
        stage.post(inbound(text_message(), phone_number_id=number))
    north.refresh_from_db()
    south.refresh_from_db()
    assert north.last_delivery_at is not None
    assert south.last_delivery_at is None
    first = north.last_delivery_at
    stage.post(inbound(text_message(), phone_number_id="1001"))
    north.refresh_from_db()
    assert north.last_delivery_at == first, "written at most once a minute"


def test_with_only_one_business_its_account_shows_that_too(stage: Stage, settings: Any) -> None:
    settings.MULTITENANT_ENABLED = False
    account = WhatsAppAccount.objects.create(tenant=Tenant.objects.single(), phone_number_id="1001")
    stage.post(inbound(text_message(), phone_number_id="1001"))
    account.refresh_from_db()
    assert account.last_delivery_at is not None
