"""Reactions, edits, revokes and system messages: kept, applied, and never answered."""

import pytest
from django.core.files.storage import default_storage

from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage
from tests.media_at_meta import picture
from tests.stage import Stage
from whatsapp.tests.factories import Json, inbound, message, text_message

ORIGINAL = "wamid.original"


def edit(text: str) -> Json:
    return message("edit", {"original_message_id": ORIGINAL, "message": {"type": "text", "text": {"body": text}}})


@pytest.mark.parametrize(
    "piece",
    [
        message("reaction", {"message_id": ORIGINAL, "emoji": "👍"}),
        message("revoke", {"original_message_id": ORIGINAL}),
        message("system", {"type": "customer_identity_changed", "body": "The security code changed"}),
        edit("Hello again"),
        message("request_welcome"),
    ],
    ids=lambda piece: piece["type"],
)
def test_they_do_not_make_the_assistant_speak(stage: Stage, piece: dict[str, object]) -> None:
    stage.converse(inbound(piece))
    assert ConversationMessage.objects.get().kind == piece["type"]
    assert stage.wire.asked == []


def test_an_edit_changes_the_text_and_keeps_the_former_one(stage: Stage) -> None:
    stage.post(inbound(text_message("Two cakes", id=ORIGINAL)))
    stage.post(inbound(edit("Three cakes")))
    original = ConversationMessage.objects.get(external_id=ORIGINAL)
    assert original.text == "Three cakes"
    assert [former["text"] for former in original.edits] == ["Two cakes"]


def test_the_model_is_shown_the_edited_text_once(stage: Stage) -> None:
    stage.post(inbound(text_message("Two cakes", id=ORIGINAL)))
    stage.post(inbound(edit("Three cakes")))
    stage.work()
    assert [shown["content"] for shown in stage.wire.asked[0]["messages"][1:]] == ["Three cakes"]


def test_a_revoke_takes_the_files_with_it(stage: Stage) -> None:
    stage.converse(inbound(message("image", stage.wire.media.put(picture(), "image/jpeg"), id=ORIGINAL)))
    kept = Attachment.objects.get()
    names = [kept.file.name, kept.preview.name]
    assert all(default_storage.exists(str(name)) for name in names)
    stage.converse(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    assert not Attachment.objects.exists()
    assert not any(default_storage.exists(str(name)) for name in names)


def test_a_revoke_blanks_the_text_its_former_texts_and_the_raw_piece(stage: Stage) -> None:
    stage.post(inbound(text_message("My card is 4111 1111", id=ORIGINAL)))
    stage.post(inbound(edit("My card is 4111 1111 too")))
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    original = ConversationMessage.objects.get(external_id=ORIGINAL)
    assert (original.text, original.edits, original.raw_json) == ("", [], None)
    assert original.revoked_at is not None
    assert not ConversationMessage.objects.filter(text__contains="4111").exists()
    assert "4111" not in str(list(ConversationMessage.objects.values_list("raw_json", flat=True)))


def test_an_edit_that_overtook_its_message_is_applied_when_the_message_comes(stage: Stage) -> None:
    stage.post(inbound(edit("Three cakes")))
    stage.post(inbound(text_message("Two cakes", id=ORIGINAL)))
    assert ConversationMessage.objects.get(external_id=ORIGINAL).text == "Three cakes"


def test_a_revoke_that_overtook_its_message_blanks_it_when_it_comes(stage: Stage) -> None:
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    stage.post(inbound(text_message("My card is 4111 1111", id=ORIGINAL)))
    stage.work()
    original = ConversationMessage.objects.get(external_id=ORIGINAL)
    assert (original.text, original.raw_json) == ("", None)


def test_a_stranger_cannot_edit_or_revoke_what_another_customer_wrote(stage: Stage) -> None:
    stage.post(inbound(text_message("Two cakes", id=ORIGINAL)))
    stranger = {"from": "79009999999"}
    stage.post(inbound({**edit("Ten cakes"), **stranger}, contacts=[]))
    stage.post(inbound({**message("revoke", {"original_message_id": ORIGINAL}), **stranger}, contacts=[]))
    assert ConversationMessage.objects.get(external_id=ORIGINAL).text == "Two cakes"
