"""Voice notes are transcribed, and a reply waits a while for the content of the customer's files."""

from typing import Any

import httpx2
import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from assistant.models import Assistant, Turn
from assistant.tasks import find_files_to_read
from conversations.files.attachments import Attachment
from conversations.models import Conversation
from conversations.outbox.pauses import Pause
from runtime.backlog import Backlog
from tenants.models import Tenant
from tests.media_at_meta import OGG, MediaAtMeta
from tests.stage import Json, Stage
from whatsapp.tests.factories import inbound, message, text_message

HEARD = "[voice note]\nTwo cakes, please."
UNHEARD = "[voice note]\n(Its content isn't known.)"


@pytest.fixture
def meta(stage: Stage) -> MediaAtMeta:
    return stage.wire.media


def voice(meta: MediaAtMeta, **more: Any) -> Json:
    return message("audio", {**meta.put(OGG, "audio/ogg; codecs=opus"), "voice": True}, **more)


def last_question(stage: Stage) -> Any:
    return stage.wire.asked[-1]["messages"][-1]["content"]


def refused(status: int, code: str) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": code, "code": code, "type": "x"}})


def test_a_voice_note_is_transcribed_and_answered(stage: Stage, meta: MediaAtMeta) -> None:
    stage.converse(inbound(voice(meta)))
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.transcript, attachment.error) == ("ready", "Two cakes, please.", "")
    assert last_question(stage) == HEARD
    assert len(stage.wire.texts) == 1, "one reply, and it waited for the words"
    form = stage.wire.heard[0]
    assert OGG in form
    assert b'filename="voice.ogg"' in form
    assert b"gpt-transcribe" in form
    assert b'name="language"' not in form


def test_a_customer_who_says_that_they_want_a_person_is_flagged(stage: Stage, meta: MediaAtMeta) -> None:
    stage.wire.hearing = lambda: httpx2.Response(200, json={"text": "I want to speak to a human, please."})
    stage.converse(inbound(voice(meta)))
    assert Conversation.objects.get().needs_person == "Asked for a person"


def test_the_language_is_the_assistants(stage: Stage, meta: MediaAtMeta) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), transcription_language="es")
    stage.converse(inbound(voice(meta)))
    assert b'name="language"\r\n\r\nes' in stage.wire.heard[0]


def test_the_transcript_stays_in_the_history(stage: Stage, meta: MediaAtMeta) -> None:
    stage.converse(inbound(voice(meta)))
    stage.converse(inbound(text_message("And a pie")))
    assert {"role": "user", "content": HEARD} in stage.wire.asked[-1]["messages"]
    assert len(stage.wire.heard) == 1


@pytest.mark.parametrize(
    ("answer", "asked", "reason"),
    [
        (refused(400, "audio_too_short"), 1, "audio_too_short"),
        (refused(401, "invalid_api_key"), 1, "invalid_api_key"),
        (httpx2.Response(200, json={"text": " "}), 1, "No speech was recognized"),
        (refused(404, "model_not_found"), 1, "model_not_found"),
        (httpx2.Response(200, text="<html>", headers={"Content-Type": "text/html"}), 2, "isn't JSON"),
        (httpx2.Response(200, json={"text": None}), 2, "isn't a transcription"),
        (refused(500, "server_error"), 3, "server_error"),
    ],
)
def test_a_failed_transcription_is_reported_and_answered_anyway(
    stage: Stage, meta: MediaAtMeta, answer: httpx2.Response, asked: int, reason: str
) -> None:
    stage.wire.hearing = lambda: answer
    stage.converse(inbound(voice(meta)))
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.transcript, len(stage.wire.heard)) == ("ready", "", asked)
    assert reason in attachment.error
    assert last_question(stage) == UNHEARD


def test_a_temporary_failure_is_retried(stage: Stage, meta: MediaAtMeta) -> None:
    answers = [refused(500, "server_error"), refused(429, "rate_limit_exceeded")]
    stage.wire.hearing = lambda: answers.pop() if answers else httpx2.Response(200, json={"text": "Yes"})
    stage.converse(inbound(voice(meta)))
    assert (Attachment.objects.get().transcript, Attachment.objects.get().error) == ("Yes", "")
    assert len(stage.wire.texts) == 1


def test_nothing_is_transcribed_where_nothing_is_answered(stage: Stage, meta: MediaAtMeta) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), daily_token_limit=0)
    stage.converse(inbound(voice(meta)))
    assert (stage.wire.heard, Attachment.objects.get().error) == (
        [],
        "It wasn't transcribed. The daily token limit is used up.",
    )


def test_an_endpoint_that_is_paused_is_not_asked(stage: Stage, meta: MediaAtMeta, settings: Any) -> None:
    settings.RETRY_TIME_SCALE = 1
    stage.wire.model = lambda body: refused(401, "invalid_api_key")
    stage.converse(inbound(text_message("Hello")))
    assert Pause.objects.exists()
    stage.converse(inbound(voice(meta)))
    assert stage.wire.heard == []


# --- the wait ---


def test_a_reply_waits_for_a_file_and_then_goes_on_without_it(stage: Stage, meta: MediaAtMeta, settings: Any) -> None:
    settings.ATTACHMENT_WAIT_SECONDS = 30
    settings.RETRY_TIME_SCALE = 1
    note = voice(meta)
    meta.files[note["audio"]["id"]].describe = lambda request: httpx2.Response(502)
    stage.converse(inbound(note))
    assert (stage.wire.asked, Turn.objects.get().state) == ([], "collecting")
    settings.ATTACHMENT_WAIT_SECONDS = 0
    stage.work()
    assert last_question(stage) == UNHEARD
    assert Attachment.objects.get().state == "pending", "it's still being fetched, for the team"


def test_a_reply_stops_waiting_when_the_file_is_unavailable(stage: Stage, meta: MediaAtMeta) -> None:
    note = voice(meta)
    del meta.files[note["audio"]["id"]]
    stage.converse(inbound(note))
    assert Attachment.objects.get().state == "failed"
    assert last_question(stage) == UNHEARD


def test_a_file_that_arrives_early_does_not_end_the_quiet_time(stage: Stage, meta: MediaAtMeta, settings: Any) -> None:
    settings.TURN_QUIET_SECONDS = 30
    stage.converse(inbound(voice(meta)))
    assert Attachment.objects.get().state == "ready"
    assert (stage.wire.asked, Turn.objects.get().state) == ([], "collecting")


def test_a_reply_does_not_wait_for_files_that_the_model_does_not_get(stage: Stage, meta: MediaAtMeta) -> None:
    video = message("video", meta.put(b"\0\0\0\x18ftypmp42" + bytes(50), "video/mp4"))
    stage.post(inbound(video))
    ProcrastinateJob.objects.filter(task_name="whatsapp.tasks.fetch").delete()
    stage.work()
    assert last_question(stage) == "[video]"


def test_a_file_whose_reading_was_lost_is_found(
    stage: Stage, meta: MediaAtMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.post(inbound(voice(meta)))
    with monkeypatch.context() as patch:
        patch.setattr(Backlog, "wake", lambda backlog, rows: 0)
        stage.work()
    assert Attachment.objects.get().state == "reading"
    assert find_files_to_read() == 1
    stage.work()
    assert Attachment.objects.get().state == "ready"
    assert last_question(stage) == HEARD, "the turn waited for the file"
