"""Erasing a person: nothing of theirs is left in any table or file, and nothing of anyone else's is gone."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as active
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from api.models import IdempotentResponse
from assistant.models import Turn, TurnStep
from conversations import webhook_events
from conversations.models import Attachment, Conversation, ConversationMessage, ConversationNote
from knowledge import sources
from knowledge.models import Source, UnansweredQuestion
from leads.models import Lead
from notifications.models import NotificationDelivery, NotificationIncident
from privacy import erasing, people
from privacy.models import Erasure, Export
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses, superuser
from tests.media_at_meta import picture
from tests.stage import Stage, completion
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint
from webhooks.signature import new_secret
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.factories import contact, inbound, message, text_message

ANN, USER_ID, BEN = "4915550001111", "DE.90210ann", "4915550002222"
PLANTED = [
    *(
        ANN,
        USER_ID,
        "Annabel Quartz",
        "planted-text",
        "planted-reply",
        "planted-caption",
        "planted-file",
        "planted-note",
    ),
    *("planted-lead", "planted-fact", "planted-step", "planted-quarantine", "planted-response", "planted-log"),
    *("planted-summary", "planted-error", "planted-incident", "planted-question", "planted-answer", "planted-group"),
    *("planted-spoken", "planted-former", "planted-transcript", "planted-name", "planted-referral", "planted-warning"),
    *("planted-delivery", "planted-notification", "planted-refused"),
]


def remains(words: list[str]) -> set[tuple[str, str]]:
    """Where these words still are: table or file, and word."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows = "\n".join(row for (row,) in cursor.fetchall())
            found |= {(table, word) for word in words if word in rows}
    for file in Path(active.MEDIA_ROOT).rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            found |= {("files", word) for word in words if word.encode() in data}
    return found


@pytest.fixture
def talk(stage: Stage) -> Conversation:
    """Ann's conversation, with something planted wherever data about her may be. Ben's is as usual."""
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    stage.wire.model = lambda body: completion("planted-reply")
    photo = stage.wire.media.put(picture() + b"planted-file", "image/jpeg")
    who = [contact("Annabel Quartz", ANN, USER_ID)]
    stage.converse(inbound(text_message("planted-text", sender=ANN, from_user_id=USER_ID), contacts=who))
    picture_message = message("image", {**photo, "caption": "planted-caption"}, sender=ANN, from_user_id=USER_ID)
    stage.converse(inbound(picture_message, contacts=who))
    stage.wire.model = lambda body: completion("kept-reply")
    stage.converse(inbound(text_message("kept-text", sender=BEN), contacts=[contact("Ben", BEN)]))
    who = [contact("Annabel Quartz", ANN, USER_ID)]
    stage.converse(
        inbound(text_message("planted-group", sender=ANN, from_user_id=USER_ID, group_id="G1"), contacts=who)
    )
    stage.converse(inbound(text_message("kept-group", sender=BEN, group_id="G1"), contacts=[contact("Ben", BEN)]))
    found = Conversation.objects.get(contact_user_id=USER_ID)
    plant(found)
    return found


def plant(talk: Conversation) -> None:
    """Where a customer's message alone leaves nothing."""
    tenant = Tenant.objects.single()
    WebhookEndpoint.objects.create(
        tenant=tenant, url="https://127.0.0.1/", event_types=list(EventType), secret=new_secret()
    )
    webhook_events.received(ConversationMessage.objects.filter(role="user").values_list("pk", flat=True))
    Conversation.objects.filter(pk=talk.pk).update(handover_summary="planted-summary")
    ConversationNote.objects.create(conversation=talk, text="planted-note")
    Lead.objects.filter(conversation=talk).update(notes="planted-lead", fields={"likes": "planted-fact"})
    Lead.objects.filter(conversation=talk).update(referral={"headline": "planted-referral"})
    said = ConversationMessage.objects.filter(conversation=talk, role="user").earliest("pk")
    ConversationMessage.objects.filter(pk=said.pk).update(
        spoken="planted-spoken", refused="planted-refused", edits=[{"text": "planted-former"}]
    )
    Attachment.objects.update(transcript="planted-transcript", filename="planted-name.jpg")
    UnansweredQuestion.objects.create(tenant=tenant, conversation=talk, message_id=said.pk, text="planted-question")
    for title, text in (("planted-question", "planted-answer"), ("Do you deliver?", "Yes.")):
        sources.save(Source(tenant=tenant, kind="question", title=title, text=text))
    Turn.objects.filter(conversation=talk).update(error="planted-error", warning="planted-warning")
    turn = Turn.objects.filter(conversation=talk).earliest("pk")
    TurnStep.objects.create(turn=turn, generation=1, position=0, text="planted-step", calls=[], seen_id=1)
    incident = NotificationIncident.objects.create(
        tenant=tenant, kind="handover", subject=f"conversation:{talk.pk}", title=f"{ANN}: planted-incident"
    )
    NotificationDelivery.objects.create(
        tenant=tenant, incident=incident, user=superuser(), channel="email", error="planted-notification"
    )
    WebhookDelivery.objects.filter(event__payload__conversation__id=talk.pk).update(error="planted-delivery")
    Export.objects.create(tenant=tenant, identifiers=[ANN], conversations=[talk.pk], expires_at=said.created_at)
    raw = {"from": ANN, "text": "planted-quarantine"}
    QuarantinedEvent.objects.create(tenant=tenant, reason="unknown", raw=raw, digest="1")
    QuarantinedEvent.objects.create(tenant=tenant, reason="unknown", raw={"from": BEN, "text": ANN[:-1]}, digest="2")
    IdempotentResponse.objects.create(
        tenant=tenant,
        key="k",
        request_hash="h",
        status=201,
        body={"conversation": talk.pk, "text": "planted-response"},
    )
    LogEntry.objects.create(
        user=User.objects.get(is_superuser=True),
        content_type=ContentType.objects.get_for_model(Conversation),
        object_id=str(talk.pk),
        object_repr=f"{ANN} planted-log",
        action_flag=CHANGE,
    )


def erase_all() -> None:
    while erasing.erase_some():
        pass


def test_nothing_of_the_person_is_left_and_nothing_of_others_is_gone(talk: Conversation) -> None:
    assert {word for _, word in remains(PLANTED)} == set(PLANTED), "they're all planted"
    person = people.find(Tenant.objects.single(), ANN)
    assert person is not None
    erasure = erasing.request(person, None)
    erase_all()
    assert remains(PLANTED) == set()
    assert ConversationMessage.objects.filter(text__in=["kept-text", "Ben: kept-group"]).count() == 2
    assert Source.objects.get().title == "Do you deliver?"
    assert Turn.objects.filter(conversation__external_id=BEN, state="replied").count() == 1
    assert QuarantinedEvent.objects.count() == 1
    erasure.refresh_from_db()
    assert erasure.finished_at
    assert erasure.conversations == [talk.pk]
    assert erasure.erased["messages"] == 5
    assert erasure.erased["leads"] == 1


def test_it_is_found_by_any_identifier_at_every_number_of_the_business(talk: Conversation) -> None:
    tenant = Tenant.objects.single()
    other = Conversation.objects.create(
        tenant=tenant, phone_number_id="2", external_id=USER_ID, contact_user_id=USER_ID
    )
    for identifier in (ANN, USER_ID):
        person = people.find(tenant, identifier)
        assert person is not None
        assert list(person.conversations) == [talk.pk, other.pk]
    assert people.find(tenant, "4915550003333") is None


def test_an_erasure_goes_on_after_any_batch(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "BATCH", 3)
    person = people.find(Tenant.objects.single(), ANN)
    assert person is not None
    erasure = erasing.request(person, None)
    batches = 1
    while deleted := erasing.erase_some():
        assert deleted <= 3
        batches += 1
    erasure.refresh_from_db()
    assert batches > 3
    assert erasure.finished_at
    assert sum(erasure.erased.values()) >= 3 * (batches - 2)
    assert remains(PLANTED) == set()


def test_the_assistant_stops_answering_at_once(talk: Conversation, stage: Stage) -> None:
    person = people.find(Tenant.objects.single(), ANN)
    assert person is not None
    erasing.request(person, None)
    before = len(stage.wire.sent)
    stage.converse(inbound(text_message("More", sender=ANN), contacts=[contact("Annabel Quartz", ANN)]))
    assert len(stage.wire.sent) == before


def test_who_writes_again_later_is_a_stranger(talk: Conversation, stage: Stage) -> None:
    person = people.find(Tenant.objects.single(), ANN)
    assert person is not None
    erasing.request(person, None)
    erase_all()
    stage.converse(inbound(text_message("Hello again", sender=ANN), contacts=[contact("Annabel Quartz", ANN)]))
    assert stage.wire.asked[-1]["messages"][-1]["content"].endswith("\nHello again")


# --- The pages ---


ADD = "/admin/privacy/erasure/add/"


def test_an_owner_sees_what_would_be_erased_and_confirms(client: Client, talk: Conversation) -> None:
    client.force_login(superuser_of_log())
    form = {"tenant": str(talk.tenant_id), "person": f"+{ANN[:2]} {ANN[2:]}"}
    asked = client.post(ADD, form).content.decode()
    assert "This erases 1 conversations, 5 messages, 1 files, 1 quarantined events" in asked
    assert not Erasure.objects.exists()
    answer = client.post(ADD, {**form, "confirmed": "on"}, follow=True).content.decode()
    assert "Their data is being erased" in answer
    erase_all()
    receipt = client.get("/admin/privacy/erasure/").content.decode()
    assert "5 messages" in receipt
    assert remains(PLANTED) == set()


def superuser_of_log() -> Any:
    return LogEntry.objects.get().user


def test_someone_unknown_is_refused(client: Client, talk: Conversation) -> None:
    client.force_login(superuser_of_log())
    answer = client.post(ADD, {"tenant": str(talk.tenant_id), "person": "123", "confirmed": "on"}).content.decode()
    assert "has no conversation with 123" in answer
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("operator", 403), ("viewer", 403), ("stranger", 200)])
def test_only_owners_erase_and_only_in_their_business(db: None, who: str, status: int) -> None:
    businesses = TwoBusinesses()
    Conversation.objects.create(tenant=businesses.ours, phone_number_id="1", external_id=ANN)
    form = {"tenant": str(businesses.ours.pk), "person": ANN, "confirmed": "on"}
    assert businesses.browser(who).post(ADD, form).status_code == status
    assert not Erasure.objects.exists()
