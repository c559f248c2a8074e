"""What a customer deletes disappears everywhere: from every table, file and job, and from what the model is shown."""

from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from assistant.models import Turn, TurnStep
from conversations import handover
from conversations.choices import HandoverReason
from conversations.models import Conversation, ConversationMessage
from knowledge.models import UnansweredQuestion
from leads.models import Lead, LeadField
from leads.noting import Note, note
from privacy.tests.test_erasing import remains
from tenants.models import Tenant
from tests.media_at_meta import picture
from tests.stage import Stage, completion
from webhooks.models import EventType, WebhookEndpoint
from webhooks.signature import new_secret
from whatsapp.models import QuarantinedEvent
from whatsapp.quarantine import replays
from whatsapp.tests.factories import inbound, message, text_message

TEXT, EDIT, CAPTION, FILE, FACT = "planted-text", "planted-edit", "planted-caption", "planted-file", "planted-fact"
SUMMARY, STEP, WARNING, REFUSED, QUARANTINE = (
    f"planted-{name}" for name in ("summary", "step", "warning", "refused", "kept")
)
PLANTED = [TEXT, EDIT, CAPTION, FILE, FACT, SUMMARY, STEP, WARNING, REFUSED]
ORIGINAL, PHOTO = "wamid.original", "wamid.photo"


def revoke(wamid: str) -> dict[str, Any]:
    return message("revoke", {"original_message_id": wamid})


@pytest.fixture
def talk(stage: Stage) -> Conversation:
    """Two messages, and whatever is made from them, with a word of its own in each place."""
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    tenant = Tenant.objects.single()
    WebhookEndpoint.objects.create(
        tenant=tenant, url="https://127.0.0.1/", event_types=list(EventType), secret=new_secret()
    )
    LeadField.objects.create(tenant=tenant, name="likes")
    stage.wire.model = lambda body: completion("kept-reply")
    photo = stage.wire.media.put(picture() + FILE.encode(), "image/jpeg")
    stage.converse(inbound(text_message(TEXT, id=ORIGINAL)))
    edit = {"original_message_id": ORIGINAL, "message": {"type": "text", "text": {"body": EDIT}}}
    stage.converse(inbound(message("edit", edit)))
    stage.converse(inbound(message("image", {**photo, "caption": CAPTION}, id=PHOTO)))
    found = Conversation.objects.get()
    original = ConversationMessage.objects.get(external_id=ORIGINAL)
    note([Note(found.pk, original.pk, {"likes": FACT})])
    ConversationMessage.objects.filter(pk=original.pk).update(refused=REFUSED)
    UnansweredQuestion.objects.create(tenant=tenant, conversation=found, message_id=original.pk, text=TEXT)
    Turn.objects.filter(conversation=found).update(warning=WARNING, error=WARNING)
    turn = Turn.objects.filter(conversation=found).earliest("pk")
    TurnStep.objects.create(turn=turn, generation=1, position=0, text=STEP, calls=[], seen_id=original.pk)
    handover.mark_needs_person([found.pk], HandoverReason.ASKED, SUMMARY)
    return found


def test_nothing_of_a_deleted_message_is_left(stage: Stage, talk: Conversation) -> None:
    assert {word for _, word in remains(PLANTED)} == set(PLANTED), "they're all planted"
    stage.converse(inbound(revoke(ORIGINAL), revoke(PHOTO)))
    assert remains(PLANTED) == set()
    talk.refresh_from_db()
    assert talk.needs_person == HandoverReason.ASKED.label, "the reason stays"
    assert ConversationMessage.objects.filter(text="kept-reply").exists()


def test_the_model_is_not_shown_it_any_more(stage: Stage, talk: Conversation) -> None:
    stage.converse(inbound(revoke(ORIGINAL), revoke(PHOTO)))
    stage.wire.asked.clear()
    stage.converse(inbound(text_message("And now?")))
    (asked,) = stage.wire.asked
    assert "planted" not in str(asked)


def test_what_a_person_entered_and_other_messages_said_stays(stage: Stage, talk: Conversation) -> None:
    lead = Lead.objects.get()
    other = ConversationMessage.objects.get(external_id=PHOTO)
    Lead.objects.filter(pk=lead.pk).update(
        fields={"likes": FACT, "size": "large", "color": "red"},
        field_sources={**lead.field_sources, "size": None, "color": other.pk},
    )
    stage.converse(inbound(revoke(ORIGINAL)))
    lead.refresh_from_db()
    assert lead.fields == {"size": "large", "color": "red"}
    assert lead.field_sources == {"size": None, "color": other.pk}


def test_a_copy_in_quarantine_goes_with_the_message(stage: Stage, talk: Conversation) -> None:
    raw = {"id": "wamid.kept", "from": talk.external_id, "text": {"body": QUARANTINE}}
    for digest in ("1", "2"):
        QuarantinedEvent.objects.create(tenant=talk.tenant, reason="unknown", raw=raw, digest=digest)
    QuarantinedEvent.objects.filter(digest="2").update(raw={**raw, "id": "wamid.other"})
    stage.converse(inbound(revoke("wamid.kept")))
    assert list(QuarantinedEvent.objects.values_list("digest", flat=True)) == ["2"]


def test_an_event_that_could_be_stored_after_all_leaves_no_copy(stage: Stage, talk: Conversation) -> None:
    body = inbound(text_message(QUARANTINE, id="wamid.kept"))
    event = QuarantinedEvent.objects.create(
        tenant=talk.tenant, reason="cannot be stored", raw=body, digest="1", phone_number_id=talk.phone_number_id
    )
    replays.replay(event.pk)
    event.refresh_from_db()
    assert event.resolved_at
    assert event.raw == {}
    stage.converse(inbound(revoke("wamid.kept")))
    assert remains([QUARANTINE]) == set()
