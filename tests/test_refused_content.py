"""A message or an image that the model's service refuses is left out, and what's innocent is answered."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from PIL import Image

from assistant.models import Assistant, Turn
from conversations import handover
from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage
from conversations.tests.test_admin_transcript import page_of
from tenants.models import Tenant
from tenants.tests.people import browser_of, superuser
from tests.media_at_meta import MediaAtMeta, picture
from tests.stage import Json, Stage, completion, lines, newest
from whatsapp.tests.factories import inbound, message, text_message

FALLBACK = Assistant().fallback_text


def by_status(body: Json) -> httpx2.Response:
    """As Azure does."""
    error = {"message": "The prompt triggered the content management policy.", "code": "content_filter"}
    return httpx2.Response(400, json={"error": error})


def by_finish_reason(body: Json) -> httpx2.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "content_filter"}
    usage = {"prompt_tokens": 20, "completion_tokens": 1}
    return httpx2.Response(200, json={"model": "m", "choices": [choice], "usage": usage})


Refuses = Callable[[Json], httpx2.Response]


def filtering(stage: Stage, refuses: Refuses = by_status) -> None:
    """Refuse whatever contains the word "bomb", and answer the last message otherwise."""

    def think(body: Json) -> httpx2.Response:
        if "bomb" in json.dumps(body["messages"][1:]):
            return refuses(body)
        return completion(f"Answer to {newest(body)}")

    stage.wire.model = think


def say(stage: Stage, *texts: str) -> None:
    stage.converse(inbound(*(text_message(text) for text in texts)))


def refused() -> list[str]:
    return list(ConversationMessage.objects.exclude(refused="").order_by("pk").values_list("text", flat=True))


@pytest.mark.parametrize("refuses", [by_status, by_finish_reason])
def test_innocent_messages_after_a_refused_one_are_answered(stage: Stage, refuses: Refuses) -> None:
    filtering(stage, refuses)
    say(stage, "Hello")
    say(stage, "How do I build a bomb?")
    assert Conversation.objects.get().needs_person
    for text in ("Sorry", "Do you deliver?", "Until when?"):
        say(stage, text)
    assert stage.wire.texts == [
        "Answer to Hello",
        FALLBACK,
        "Answer to Sorry",
        "Answer to Do you deliver?",
        "Answer to Until when?",
    ]
    assert refused() == ["How do I build a bomb?"]
    assert len(stage.wire.asked) == 6, "once more, to make sure that it's this message, and never again"


def test_a_first_message_that_is_refused_costs_one_call(stage: Stage) -> None:
    filtering(stage)
    say(stage, "bomb")
    assert len(stage.wire.asked) == 1
    assert (stage.wire.texts, refused()) == ([FALLBACK], ["bomb"])
    assert "content management policy" in Turn.objects.get().error
    assert "content management policy" in Conversation.objects.get().needs_person


@pytest.mark.parametrize(
    "burst",
    [
        ["bomb", "Do you deliver?"],
        ["Do you deliver?", "bomb"],
        ["a", "b", "bomb", "c", "d", "e"],
        ["bomb 1", "a", "bomb 2", "b", "c"],
        [*"abcdefghijklmnopqrstuvwxyz", "bomb"],
    ],
)
def test_the_rest_of_a_burst_is_answered_in_the_same_turn(stage: Stage, burst: list[str]) -> None:
    filtering(stage)
    say(stage, "Before")
    say(stage, *burst)
    innocent = [text for text in burst if "bomb" not in text]
    assert stage.wire.texts == ["Answer to Before", f"Answer to {innocent[-1]}"]
    assert refused() == [text for text in burst if "bomb" in text]
    answered = next(body for body in reversed(stage.wire.asked) if "bomb" not in json.dumps(body))
    assert lines(answered)[-len(innocent) :] == innocent
    assert "refused a message" in Conversation.objects.get().needs_person


def test_a_refused_message_that_was_answered_by_a_person_spoils_nothing(stage: Stage) -> None:
    """It's in the middle of the history, and nothing has marked it yet."""
    say(stage, "One")
    say(stage, "Two, with a bomb")
    say(stage, "Three")
    filtering(stage)
    say(stage, "Four")
    assert stage.wire.texts[-1] == "Answer to Four"
    assert "Two, with a bomb" in refused()
    say(stage, "Five")
    assert stage.wire.texts[-1] == "Answer to Five"
    shown = lines(stage.wire.asked[-1])
    assert {"One", "Three", "Four", "Five"} <= set(shown)


def test_a_service_that_refuses_everything_is_not_asked_without_end(stage: Stage) -> None:
    for n in range(8):
        say(stage, f"{n}")
    stage.wire.asked.clear()
    stage.wire.model = by_status
    say(stage, *"abcdefghijklmnop")
    assert len(stage.wire.asked) <= 13
    assert (stage.wire.texts[-1], refused()) == (FALLBACK, [])
    assert Turn.objects.latest("pk").lost_leases == 0


def test_all_answers_are_in_the_ledger(stage: Stage) -> None:
    filtering(stage, by_finish_reason)
    say(stage, "bomb", "Hello")
    turn = Turn.objects.get()
    usage = [21 if "bomb" in json.dumps(body["messages"][1:]) else 25 for body in stage.wire.asked]
    assert turn.prompt_tokens + turn.completion_tokens == sum(usage)


def test_a_refused_message_that_is_handed_back_is_not_asked_about_again(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), fallback_text="")
    filtering(stage)
    say(stage, "Hello")
    say(stage, "bomb")
    asked = len(stage.wire.asked)
    talk = Conversation.objects.get()
    handover.take_over(talk.pk, superuser())
    handover.hand_back(talk.pk)
    stage.work()
    assert len(stage.wire.asked) == asked
    assert stage.wire.texts == ["Answer to Hello"]
    assert "content management policy" in Conversation.objects.get().needs_person


def test_an_edited_message_is_shown_again(stage: Stage) -> None:
    filtering(stage)
    stage.converse(inbound(text_message("bomb", id="wamid.b")))
    edit = {"original_message_id": "wamid.b", "message": {"type": "text", "text": {"body": "balm"}}}
    stage.post(inbound(message("edit", edit)))
    assert refused() == []
    say(stage, "So?")
    assert "balm" in lines(stage.wire.asked[-1])


def test_the_transcript_says_what_the_model_was_not_shown(stage: Stage) -> None:
    filtering(stage)
    say(stage, "bomb")
    page = page_of(browser_of(superuser()), Conversation.objects.get())
    assert "Not shown to the model" in page
    assert "content management policy" in page


# --- images ---


@pytest.fixture
def meta(stage: Stage) -> MediaAtMeta:
    Assistant.objects.create(tenant=Tenant.objects.single(), sees_images=True)
    return stage.wire.media


def images_in(body: Json) -> int:
    return json.dumps(body).count('"image_url": {')


def widths_in(body: Json) -> list[int]:
    parts = [each["content"] for each in body["messages"] if isinstance(each["content"], list)]
    urls = [part["image_url"]["url"] for content in parts for part in content if part["type"] == "image_url"]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).width for url in urls]


def invalid_image(body: Json) -> httpx2.Response:
    error = {"message": "Invalid image.", "type": "invalid_request_error", "code": "invalid_image"}
    return httpx2.Response(400, json={"error": error})


def overloaded_by_it(body: Json) -> httpx2.Response:
    """As llama.cpp does."""
    return httpx2.Response(500, json={"error": {"code": 500, "message": "failed to process image"}})


@pytest.mark.parametrize("refuses", [invalid_image, by_status, by_finish_reason, overloaded_by_it])
def test_an_image_that_is_refused_is_left_out_at_once(stage: Stage, meta: MediaAtMeta, refuses: Refuses) -> None:
    def think(body: Json) -> httpx2.Response:
        return refuses(body) if images_in(body) else completion("I can't see it")

    stage.wire.model = think
    stage.converse(inbound(message("image", {**meta.put(picture(), "image/jpeg"), "caption": "This one"})))
    assert stage.wire.texts == ["I can't see it"]
    assert stage.wire.asked[-1]["messages"][-1]["content"] == "[image] This one\n(The image itself isn't included.)"
    assert Attachment.objects.get().refused
    assert refused() == [], "its caption is fine"
    asked = len(stage.wire.asked)
    say(stage, "And?")
    assert len(stage.wire.asked) == asked + 1
    assert stage.wire.texts[-1] == "I can't see it"
    page = page_of(browser_of(superuser()), Conversation.objects.get())
    assert "Not shown to the model" in page


def test_only_the_image_that_is_refused_is_left_out(stage: Stage, meta: MediaAtMeta) -> None:
    def think(body: Json) -> httpx2.Response:
        return invalid_image(body) if 500 in widths_in(body) else completion(f"I see {widths_in(body)}")

    stage.wire.model = think
    stage.converse(inbound(*(message("image", meta.put(picture(width, 10), "image/jpeg")) for width in (10, 500, 12))))
    assert stage.wire.texts == ["I see [10, 12]"]
    assert [bool(each.refused) for each in Attachment.objects.order_by("message_id")] == [False, True, False]


def test_a_refusal_for_another_reason_is_a_failure(stage: Stage, meta: MediaAtMeta) -> None:
    stage.wire.model = lambda body: httpx2.Response(400, json={"error": {"message": "No such parameter."}})
    stage.converse(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    assert (stage.wire.texts, len(stage.wire.asked)) == ([FALLBACK], 2)
    assert Attachment.objects.get().refused == ""
    assert "No such parameter." in Conversation.objects.get().needs_person


def test_the_marks_are_kept_when_a_newer_message_drops_the_draft(stage: Stage) -> None:
    later: list[Any] = [lambda: stage.post(inbound(text_message("And?")))]

    def think(body: Json) -> httpx2.Response:
        if "bomb" in json.dumps(body["messages"][1:]):
            return by_status(body)
        if later:
            later.pop()()
        return completion(f"Answer to {newest(body)}")

    stage.wire.model = think
    say(stage, "bomb", "Hello")
    assert (stage.wire.texts, refused()) == (["Answer to And?"], ["bomb"])
