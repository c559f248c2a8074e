"""Reactions, edits, revokes and system messages: stored, applied, and never answered."""

from collections.abc import Sequence

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from conversations.files.attachments import Attachment
from conversations.history import corrections
from conversations.history.corrections import Revoked
from conversations.history.messages import StoredMessage
from conversations.models import ConversationMessage
from leads.models import Lead
from tests.media_at_meta import picture
from tests.stage import Stage
from whatsapp.tests.factories import Json, change, contact, delivery, echo, inbound, message, text_message

ORIGINAL = "wamid.original"


def edit(text: str) -> Json:
    return message("edit", {"original_message_id": ORIGINAL, "message": {"type": "text", "text": {"body": text}}})


@pytest.mark.parametrize(
    "item",
    [
        message("reaction", {"message_id": ORIGINAL, "emoji": "👍"}),
        message("revoke", {"original_message_id": ORIGINAL}),
        message("system", {"type": "customer_identity_changed", "body": "The security code changed"}),
        edit("Hello again"),
        message("request_welcome"),
    ],
    ids=lambda item: item["type"],
)
def test_the_assistant_does_not_answer_them(stage: Stage, item: dict[str, object]) -> None:
    stage.converse(inbound(item))
    assert ConversationMessage.objects.get().kind == item["type"]
    assert stage.wire.asked == []


def test_an_edit_changes_the_text_and_keeps_the_previous_one(stage: Stage) -> None:
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


def test_a_revoke_blanks_the_text_its_previous_texts_and_the_raw_item(stage: Stage) -> None:
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


def test_a_deletion_that_came_first_is_applied_in_the_transaction_that_stores_the_message(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost between the two: nothing is stored, and the next attempt does both."""
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    real = corrections.apply
    lost: list[bool] = []

    def lose(stored: Sequence[StoredMessage]) -> list[Revoked]:
        if not lost:
            lost.append(True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(stored)

    monkeypatch.setattr(corrections, "apply", lose)
    stage.converse(inbound(text_message("My card is 4111 1111", id=ORIGINAL)))
    assert lost
    original = ConversationMessage.objects.get(external_id=ORIGINAL)
    assert (original.text, original.raw_json) == ("", None)
    assert original.revoked_at is not None
    assert "4111" not in str(stage.wire.asked)


def test_a_deletion_of_the_first_message_reaches_the_lead(stage: Stage) -> None:
    stage.post(inbound(text_message("My card is 4111 1111", id=ORIGINAL)))
    assert Lead.objects.get().first_text == "My card is 4111 1111"
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    assert Lead.objects.get().first_text == ""


def test_a_deletion_of_an_edited_first_message_reaches_the_lead(stage: Stage) -> None:
    stage.post(inbound(text_message("My card is 4111 1111", id=ORIGINAL)))
    stage.post(inbound(edit("never mind")))
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    assert Lead.objects.get().first_text == ""


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["message first", "deletion first"])
def test_a_message_and_its_deletion_in_one_delivery_leave_nothing(stage: Stage, order: tuple[int, int]) -> None:
    pair = [
        text_message("My card is 4111 1111", id=ORIGINAL),
        message("revoke", {"original_message_id": ORIGINAL}),
    ]
    stage.converse(inbound(*(pair[at] for at in order)))
    assert Lead.objects.get().first_text in ("", "[message deleted]")
    assert not ConversationMessage.objects.filter(text__contains="4111").exists()
    assert stage.wire.asked == [], "there is nothing to answer"


def test_a_deletion_leaves_the_leads_text_of_another_message(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.post(inbound(text_message("My card is 4111 1111", id=ORIGINAL)))
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    assert Lead.objects.get().first_text == "Hello"


def test_an_edit_that_comes_after_the_deletion_is_blanked(stage: Stage) -> None:
    stage.post(inbound(text_message("x", id=ORIGINAL)))
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    stage.post(inbound(edit("My card is 4111 1111")))
    assert "4111" not in str(list(ConversationMessage.objects.values_list("text", "raw_json", "edits")))


def test_several_corrections_in_one_delivery_are_applied_in_order(stage: Stage) -> None:
    stage.post(inbound(edit("Four cakes"), text_message("Two cakes", id=ORIGINAL), edit("Three cakes")))
    original = ConversationMessage.objects.get(external_id=ORIGINAL)
    assert (original.text, [former["text"] for former in original.edits]) == (
        "Three cakes",
        ["Two cakes", "Four cakes"],
    )


def test_a_customer_cannot_edit_or_delete_what_the_business_wrote(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    answer = {"original_message_id": "wamid.out0001"}
    stage.post(inbound(message("edit", {**answer, "message": {"type": "text", "text": {"body": "WE OWE YOU 1000"}}})))
    stage.post(inbound(message("revoke", answer)))
    reply = ConversationMessage.objects.get(external_id="wamid.out0001")
    assert (reply.text, reply.edits, reply.revoked_at) == ("Answer to Hello", [], None)


def test_the_whatsapp_app_cannot_edit_or_delete_what_the_customer_or_the_assistant_wrote(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello", id=ORIGINAL)))
    for wamid in (ORIGINAL, "wamid.out0001"):
        changed = {"original_message_id": wamid, "message": {"type": "text", "text": {"body": "changed"}}}
        for item in (echo("edit", changed), echo("revoke", {"original_message_id": wamid})):
            stage.post(delivery(change(message_echoes=[item], contacts=[contact()])))
    texts = ConversationMessage.objects.filter(kind="text").order_by("pk").values_list("text", flat=True)
    assert list(texts) == ["Hello", "Answer to Hello"]


def app(item: Json) -> Json:
    """A delivery about what the business did in the WhatsApp app."""
    return delivery(change(message_echoes=[item], contacts=[contact()]))


def test_a_deletion_leaves_the_edits_of_the_other_side(stage: Stage) -> None:
    """An edit from the wrong side isn't applied, but it's a row that someone wrote."""
    stage.post(inbound(text_message("Two cakes", id=ORIGINAL)))
    text = {"type": "text", "text": {"body": "Written in the app"}}
    stage.post(app(echo("edit", {"original_message_id": ORIGINAL, "message": text})))
    stage.post(inbound(message("revoke", {"original_message_id": ORIGINAL})))
    mine = ConversationMessage.objects.get(kind="edit")
    assert (mine.text, mine.revoked_at) == ("Written in the app", None)
    assert ConversationMessage.objects.get(external_id=ORIGINAL).text == ""


def test_a_deletion_by_the_business_leaves_the_leads_text(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.post(app(echo("text", {"body": "Hello"}, id="wamid.bo")))
    stage.post(app(echo("revoke", {"original_message_id": "wamid.bo"})))
    assert ConversationMessage.objects.get(external_id="wamid.bo").text == ""
    assert Lead.objects.get().first_text == "Hello"


def test_a_correction_of_the_other_side_that_came_first_is_not_applied(stage: Stage) -> None:
    stage.post(inbound(message("revoke", {"original_message_id": "wamid.bo"})))
    stage.post(delivery(change(message_echoes=[echo(id="wamid.bo")], contacts=[contact()])))
    assert ConversationMessage.objects.get(external_id="wamid.bo").text == "Hello, this is Bo."
