"""The ledger has the tokens of every call to a model, and the daily limit sees them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from django.db.models import F

from assistant.models import DEFAULT_FALLBACK, Assistant, DailyUsage, Turn
from conversations.models import Conversation
from tenants.models import Tenant
from tenants.tests.people import browser_of, superuser
from tests.media_at_meta import MediaAtMeta
from tests.stage import Json, Stage
from whatsapp.tests.factories import inbound, message, text_message


def answer(prompt: int, said: int, text: str | None = "Hello", finish: str = "stop", **more: Any) -> httpx2.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": prompt, "completion_tokens": said}
    return httpx2.Response(200, json={"model": "m", "choices": [choice], "usage": usage, **more})


def in_turn(stage: Stage, *answers: httpx2.Response | type[Exception]) -> None:
    left = list(answers)

    def think(body: Json) -> httpx2.Response:
        given = left.pop(0)
        if isinstance(given, httpx2.Response):
            return given
        raise given("no")

    stage.wire.model = think


def day() -> int:
    return DailyUsage.objects.values_list("tokens", flat=True).first() or 0


def ledger() -> list[tuple[int, int]]:
    return list(Turn.objects.order_by("pk").values_list("prompt_tokens", "completion_tokens"))


def say(stage: Stage, text: str = "Hi") -> None:
    stage.converse(inbound(text_message(text)))


@pytest.mark.parametrize(
    "unused",
    [
        answer(500, 800, None, "length"),  # reasoning that used up the budget
        answer(500, 800, "  "),
        answer(500, 800, choices=[]),
        answer(500, 800, error={"message": "upstream failed", "code": 502}),
    ],
    ids=["reasoning", "blank", "no choices", "an error in a 200"],
)
def test_an_attempt_that_could_not_be_used_is_counted(stage: Stage, unused: httpx2.Response) -> None:
    in_turn(stage, unused, answer(20, 5))
    say(stage)
    assert (ledger(), day()) == ([(520, 805)], 1325)
    assert Turn.objects.get().usage_estimated is False


def test_a_turn_that_failed_is_counted(stage: Stage) -> None:
    in_turn(stage, answer(500, 800, None, "length"), answer(500, 4000, None, "length"))
    say(stage)
    assert (ledger(), day()) == ([(1000, 4800)], 5800)
    assert Turn.objects.get().state == "failed"


@pytest.mark.parametrize("error", [httpx2.ReadTimeout, httpx2.ReadError])
def test_a_call_whose_answer_never_came_is_estimated(stage: Stage, error: type[Exception]) -> None:
    in_turn(stage, error, answer(20, 5))
    say(stage, "x" * 4000)
    (prompt, said), *_ = ledger()
    assert 1020 < prompt < 1200
    assert said == 5
    assert day() == prompt + said
    assert Turn.objects.get().usage_estimated is True


def test_a_call_that_was_refused_costs_nothing(stage: Stage) -> None:
    stage.wire.model = lambda body: httpx2.Response(500, json={"error": {"message": "no"}})
    say(stage)
    assert (ledger(), day()) == ([(0, 0)], 0)


def test_a_dropped_draft_is_counted(stage: Stage) -> None:
    later: list[Callable[[], object]] = [lambda: stage.post(inbound(text_message("And?")))]

    def think(body: Json) -> httpx2.Response:
        if later:
            later.pop()()
        return answer(20, 5)

    stage.wire.model = think
    say(stage)
    assert (ledger(), day()) == ([(40, 10)], 50)


def test_the_answer_of_a_worker_that_was_fenced_is_in_the_days_tokens(stage: Stage) -> None:
    def think(body: Json) -> httpx2.Response:
        Turn.objects.update(generation=F("generation") + 1)
        return answer(20, 5)

    stage.wire.model = think
    say(stage)
    assert (ledger(), day()) == ([(0, 0)], 25)


def test_a_turn_that_could_not_be_closed_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.wire.model = lambda body: answer(20, 5)
    monkeypatch.setattr("assistant.turns.closing._answer", lambda *args: 1 / 0)
    say(stage)
    assert (ledger(), day()) == ([(20, 5)], 25)
    assert "ZeroDivisionError" in Turn.objects.get().error


@pytest.mark.parametrize(
    ("usage", "prompt", "said", "is_estimated"),
    [
        ({"type": "tokens", "input_tokens": 140, "output_tokens": 9, "total_tokens": 149}, 140, 9, False),
        ({"type": "duration", "seconds": 12}, 120, 5, True),
        (None, 0, 5, True),
    ],
)
def test_a_transcription_is_counted(
    stage: Stage, settings: Any, usage: Json | None, prompt: int, said: int, is_estimated: bool
) -> None:
    meta: MediaAtMeta = stage.wire.media
    settings.MODEL_PRICES = {settings.TRANSCRIPTION_MODEL: (1, 1, 2)}
    stage.wire.hearing = lambda: httpx2.Response(200, json={"text": "Two cakes, please.", "usage": usage})
    stage.wire.model = lambda body: answer(20, 5)
    stage.converse(
        inbound(message("audio", {**meta.put(b"OggS" + bytes(200), "audio/ogg; codecs=opus"), "voice": True}))
    )
    assert (ledger(), day()) == ([(20 + prompt, 5 + said)], 25 + prompt + said)
    turn = Turn.objects.get()
    assert (turn.usage_estimated, turn.cost) == (is_estimated, Decimal(prompt + 2 * said) / 1_000_000)


@pytest.mark.parametrize("given", [answer(20, 5), answer(20, 5, None, "content_filter"), answer(20, 5, choices=[])])
def test_a_test_prompt_is_counted_even_if_it_fails(stage: Stage, given: httpx2.Response) -> None:
    row = Assistant.objects.create(tenant=Tenant.objects.single())
    stage.wire.model = lambda body: given
    browser_of(superuser()).post(f"/admin/assistant/assistant/{row.pk}/test-prompt/", {"question": "Hi"})
    assert day() == 25


def test_the_daily_limit_sees_attempts_that_could_not_be_used(stage: Stage) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), daily_token_limit=1000)
    in_turn(stage, answer(500, 800, None, "length"), answer(20, 5))
    say(stage)
    say(stage)
    assert stage.wire.texts == ["Hello", DEFAULT_FALLBACK]
    assert "daily token limit" in Conversation.objects.get().needs_person


def test_nothing_is_counted_for_a_turn_without_a_call(stage: Stage) -> None:
    stage.post(inbound(text_message("Hi")))
    Conversation.objects.update(handled_by="operator")
    stage.work()
    assert not DailyUsage.objects.exists()
    assert ledger() == [(0, 0)]
