"""Routing deliveries to businesses: what a refusal costs, and what one app can't do to another's business."""

import datetime as dt
import hmac
import json
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from bench.parts.attacks import heavy_bodies
from conversations.history.messages import add_conversation_message
from conversations.models import Conversation, ConversationMessage
from tenants.models import Tenant
from tests.stage import SECRET, Stage
from whatsapp.models import DeliveryWindow, QuarantinedEvent, WhatsAppAccount
from whatsapp.tests.factories import Json, change, contact, delivery, echo, inbound, text_message
from whatsapp.webhook import ingest, parsing, routing
from whatsapp.webhook.signature import sign

NORTH, SOUTH = "1001", "2002"
OWN = "the secret of north's own app"
FILLER = "x" * (3 * 1024 * 1024 - 2000)


def account(number: str, secret: str = "", **columns: Any) -> WhatsAppAccount:
    tenant, _ = Tenant.objects.get_or_create(slug=f"t{number}", defaults={"name": f"Tenant of {number}"})
    return WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=number, app_secret=secret, **columns)


@pytest.fixture
def north(stage: Stage, settings: Any) -> WhatsAppAccount:
    settings.MULTITENANT_ENABLED = True
    account(SOUTH)
    return account(NORTH, OWN, waba_id="555")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the bodies that were hashed."""
    sizes: list[int] = []
    real = hmac.digest

    def digest(key: bytes, body: bytes, kind: Any) -> bytes:
        sizes.append(len(body))
        return real(key, body, kind)

    monkeypatch.setattr(hmac, "digest", digest)
    return sizes


def cost_of_forgery(stage: Stage, hashed: list[int], body: Json) -> tuple[int, int]:
    hashed.clear()
    with CaptureQueriesContext(connection) as queries:
        assert stage.post(body, secret=None, **{"X-Hub-Signature-256": "sha256=" + "0" * 64}).status_code == 403
    return len(hashed), len(queries)


def test_a_forged_body_costs_the_same_however_many_accounts_have_their_own_secret(
    stage: Stage, north: WhatsAppAccount, hashed: list[int]
) -> None:
    body = inbound(text_message(FILLER), phone_number_id=NORTH)
    few = cost_of_forgery(stage, hashed, body)
    for number in range(300):
        account(f"77{number}", f"secret {number}")
    assert cost_of_forgery(stage, hashed, body) == few == (2, 1)  # the installation's secret and North's; one query


def test_a_forged_body_that_names_every_account_is_tried_with_few_secrets(
    stage: Stage, north: WhatsAppAccount, hashed: list[int]
) -> None:
    for number in range(50):
        account(f"77{number}", f"secret {number}")
    named = [change(messages=[text_message()], phone_number_id=f"77{number}") for number in range(50)]
    secrets, queries = cost_of_forgery(stage, hashed, delivery(*named))
    assert secrets == 1 + routing.MAX_SECRETS
    assert queries == 1


def test_nothing_of_a_forged_body_is_stored(stage: Stage, north: WhatsAppAccount) -> None:
    assert stage.post(inbound(text_message(), phone_number_id=NORTH), secret="wrong").status_code == 403
    assert stage.post(delivery(change(field="account_update"), entry_id="555"), secret="wrong").status_code == 403
    assert not ConversationMessage.objects.exists()
    assert not QuarantinedEvent.objects.exists()
    north.refresh_from_db()
    assert north.last_delivery_at is None


def test_events_of_an_account_without_a_number_are_verified_and_routed_by_the_waba(
    stage: Stage, north: WhatsAppAccount
) -> None:
    assert stage.post(delivery(change(field="account_update"), entry_id="555"), secret=OWN).status_code == 200
    event = QuarantinedEvent.objects.get()
    assert (event.reason, event.tenant, event.signed_by) == ("unknown field: account_update", north.tenant, [north.pk])


def test_all_numbers_of_an_app_are_found_however_many_ids_a_body_names(stage: Stage, north: WhatsAppAccount) -> None:
    account("1002", OWN)
    many = [text_message(str(n), id=f"id{n}") for n in range(2 * routing.MAX_IDS)]
    last = change(messages=[text_message("last")], phone_number_id="1002")
    body = delivery(change(messages=many, phone_number_id=NORTH), last)
    assert stage.post(body, secret=OWN).status_code == 200
    assert ConversationMessage.objects.count() == 2 * routing.MAX_IDS + 1


def both(north: str = "to north", south: str = "to south") -> Json:
    return delivery(
        change(messages=[text_message(north)], phone_number_id=NORTH),
        change(messages=[text_message(south)], phone_number_id=SOUTH),
    )


def test_a_replay_uses_the_signer_of_the_event(stage: Stage, north: WhatsAppAccount) -> None:
    assert stage.post(both(south="FORGED"), secret=OWN).status_code == 200
    event = QuarantinedEvent.objects.get()
    assert (event.reason, event.signed_by, event.tenant) == ("signed by another app", [north.pk], None)
    assert ingest.replay(event) == "signed by another app"
    assert not ConversationMessage.objects.filter(text="FORGED").exists()
    assert QuarantinedEvent.objects.count() == 1


def test_what_the_installations_app_signed_is_replayed_as_such(stage: Stage, north: WhatsAppAccount) -> None:
    WhatsAppAccount.objects.filter(phone_number_id=SOUTH).update(is_active=False)
    stage.post(inbound(text_message("late"), phone_number_id=SOUTH), secret=SECRET)
    event = QuarantinedEvent.objects.get()
    assert (event.reason, event.signed_by) == ("unknown phone_number_id", [])
    WhatsAppAccount.objects.update(is_active=True)
    assert ingest.replay(event) == ""
    assert ConversationMessage.objects.get().text == "late"


def test_an_app_cannot_plant_rejected_items_with_another_tenant(stage: Stage, north: WhatsAppAccount) -> None:
    planted = change(field="please call +1 900", phone_number_id=SOUTH)
    body = delivery(change(messages=[text_message()], phone_number_id=NORTH), planted)
    stage.post(body, secret=OWN)
    event = QuarantinedEvent.objects.get()
    assert (event.tenant, event.signed_by) == (None, [north.pk])
    # And it doesn't hide the same item when the right app sends it.
    stage.post(delivery(planted), secret=SECRET)
    assert [event.tenant and event.tenant.slug for event in QuarantinedEvent.objects.order_by("pk")] == [None, "t2002"]


def test_a_message_records_who_signed_it(stage: Stage, north: WhatsAppAccount) -> None:
    stage.post(inbound(text_message("own app"), phone_number_id=NORTH), secret=OWN)
    stage.post(inbound(text_message("ours"), phone_number_id=SOUTH), secret=SECRET)
    echoed = change(message_echoes=[echo()], contacts=[contact()], phone_number_id=NORTH)
    stage.post(delivery(echoed), secret=OWN)
    add_conversation_message(Conversation.objects.latest("pk").pk, "assistant", "Hello")
    signers = ConversationMessage.objects.order_by("pk").values_list("signed_by", flat=True)
    assert list(signers) == [[north.pk], [], [north.pk], None]


def test_a_replay_in_single_business_mode_does_not_trust_a_businesss_app(
    stage: Stage, north: WhatsAppAccount, settings: Any
) -> None:
    stage.post(both(south="FORGED"), secret=OWN)
    settings.MULTITENANT_ENABLED = False
    assert ingest.replay(QuarantinedEvent.objects.get()) == "signed by another app"
    assert not ConversationMessage.objects.filter(text="FORGED").exists()


def test_what_nobody_signed_is_replayed_only_while_there_is_no_secret(stage: Stage, settings: Any) -> None:
    """Without a secret (DEBUG), everything is accepted. That doesn't make it Meta's later."""
    settings.WHATSAPP_APP_SECRETS = []
    bad = text_message("unsigned", sender=None)
    assert stage.post(delivery(change(messages=[bad])), secret=None).json() == {"ok": True}
    stage.post(inbound(text_message("Hello")), secret=None)
    assert ConversationMessage.objects.get().signed_by is None
    event = QuarantinedEvent.objects.get()
    assert event.signed_by is None
    event.raw["entry"][0]["changes"][0]["value"]["messages"][0]["from"] = "79001112233"
    event.save()
    settings.WHATSAPP_APP_SECRETS = [SECRET]
    assert ingest.replay(event) == "not signed"
    settings.WHATSAPP_APP_SECRETS = []
    assert ingest.replay(event) == ""
    assert ConversationMessage.objects.filter(text="unsigned").exists()


def test_an_inactive_account_gets_nothing_of_its_number(stage: Stage, north: WhatsAppAccount) -> None:
    """It may be anyone's: entering a number proves nothing."""
    account("777", is_active=False, waba_id="888")
    stage.post(inbound(text_message("private"), phone_number_id="777"))
    stage.post(delivery(change(field="account_update"), entry_id="888"))
    stage.post(delivery(change(field="message_template_status_update", phone_number_id="777"), entry_id="888"))
    assert set(QuarantinedEvent.objects.values_list("tenant", flat=True)) == {None}
    assert QuarantinedEvent.objects.count() == 3
    WhatsAppAccount.objects.filter(pk=north.pk).update(is_active=False)
    assert stage.post(inbound(text_message(), phone_number_id=NORTH), secret=OWN).status_code == 403


def test_the_rest_of_a_delivery_for_several_numbers_belongs_to_nobody(stage: Stage, north: WhatsAppAccount) -> None:
    """It contains the whole body."""
    many = [text_message(str(n), sender=f"7900{n % 10:07}") for n in range(1001)]
    body = delivery(
        change(messages=[text_message("for south")], phone_number_id=SOUTH),
        change(messages=many, phone_number_id=NORTH),
    )
    WhatsAppAccount.objects.update(app_secret="")
    stage.post(body)
    assert QuarantinedEvent.objects.get().tenant is None
    stage.post(inbound(*many, phone_number_id=NORTH, contacts=[]))
    assert QuarantinedEvent.objects.latest("pk").tenant == north.tenant


def test_what_an_own_app_may_deliver_per_minute_is_limited(stage: Stage, north: WhatsAppAccount, settings: Any) -> None:
    settings.WEBHOOK_APP_RATE_LIMIT = 5
    five = inbound(*(text_message(str(n)) for n in range(5)), phone_number_id=NORTH)
    assert stage.post(five, secret=OWN).status_code == 200
    refused = stage.post(inbound(text_message("late"), phone_number_id=NORTH), secret=OWN)
    assert (refused.status_code, 1 <= int(refused["Retry-After"]) <= 60) == (429, True)
    rejected = change(field="unknown", phone_number_id=NORTH)
    assert stage.post(delivery(rejected), secret=OWN).status_code == 429, "rejected items count like messages"
    assert not ConversationMessage.objects.filter(text="late").exists()
    assert not QuarantinedEvent.objects.exists()
    # The others aren't affected, nor is the next minute.
    assert stage.post(inbound(text_message("ours"), phone_number_id=SOUTH)).status_code == 200
    DeliveryWindow.objects.update(started_at=Now() - dt.timedelta(minutes=1))
    assert stage.post(inbound(text_message("late"), phone_number_id=NORTH), secret=OWN).status_code == 200
    assert ConversationMessage.objects.filter(text="late").exists()


def test_the_size_of_what_an_own_app_delivers_counts(stage: Stage, north: WhatsAppAccount, settings: Any) -> None:
    settings.WEBHOOK_APP_RATE_LIMIT = 2000
    assert stage.post(inbound(text_message(FILLER), phone_number_id=NORTH), secret=OWN).status_code == 429
    assert not ConversationMessage.objects.exists()


def test_more_than_1000_items_are_one_quarantined_row_and_replayed_in_turn(stage: Stage) -> None:
    messages = [text_message(str(n), sender=f"7900{n % 10:07}") for n in range(2100)]
    assert stage.post(inbound(*messages, contacts=[])).status_code == 200
    assert ConversationMessage.objects.count() == 1000
    for stored in (2000, 2100):
        event = QuarantinedEvent.objects.get(resolved_at=None)
        assert event.reason == "more than 1,000 items"
        assert ingest.replay(event) == ""
        assert ConversationMessage.objects.count() == stored
    assert not QuarantinedEvent.objects.filter(resolved_at=None).exists()


def test_a_body_of_a_million_entries_is_a_thousand_rows(stage: Stage) -> None:
    assert stage.post(b'{"entry":[' + b"1," * 1_000_000 + b"1]}").status_code == 200
    assert QuarantinedEvent.objects.count() <= 1001


def test_a_delivery_of_3_mb_never_becomes_many_times_as_much() -> None:
    for name, body in heavy_bodies():
        assert 3e6 < len(body) <= 3 * 1024 * 1024, name
        found = parsing.read(body)
        assert len(found.items) <= 1001, name
        assert sum(len(json.dumps(item.raw)) for item in found.items) < 5 * len(body), name


def test_a_body_of_a_million_parts_is_one_row_with_its_text(stage: Stage) -> None:
    body = b'{"entry":[' + b"{}," * 1_000_000 + b"{}]}"
    assert stage.post(body).status_code == 200
    event = QuarantinedEvent.objects.get()
    assert (event.reason, event.raw) == ("too many parts", {"body": body.decode()})


def test_a_customer_who_sends_nothing_but_commas_costs_nobody_a_message(stage: Stage) -> None:
    """What's inside texts doesn't count as parts."""
    odd = [text_message('\\",[{' * 1000, sender=f"7900{n:07}") for n in range(400)]
    assert stage.post(inbound(*odd, text_message("Hello"), contacts=[])).status_code == 200
    assert ConversationMessage.objects.count() == 401


def test_a_long_contact_does_not_cost_the_other_customers_their_messages(stage: Stage) -> None:
    long = contact(name="x" * 10_000)
    stage.post(inbound(text_message("mine"), text_message("theirs", sender="79007777777"), contacts=[long]))
    assert ConversationMessage.objects.count() == 2
    assert not QuarantinedEvent.objects.exists()


def test_the_expected_signature_of_a_named_account_is_not_revealed(
    stage: Stage, north: WhatsAppAccount, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"entry":[{"id":"555"}]}'
    response = stage.post(body, secret="wrong")
    assert sign(body, OWN).removeprefix("sha256=") not in response.content.decode() + caplog.text
