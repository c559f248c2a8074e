"""How often a turn calls the model, and with what result."""

import asyncio
import logging
from collections.abc import Callable

import httpx2
import pytest
from asgiref.sync import async_to_sync
from pytest_django import Settings

from assistant.model.retries import Outcome, complete
from assistant.models import Assistant
from tests.fake_network import FakeNetwork

from .fake_model import FakeModel, choice, refused, said

pytestmark = pytest.mark.django_db(transaction=True)

Fake = Callable[..., FakeModel]
HISTORY: list[dict[str, object]] = [
    {"role": role, "content": f"{index}"} for index, role in enumerate(["user", "assistant"] * 4)
]
ask = async_to_sync(complete)
RESET = httpx2.ReadError("reset")
TIMEOUT = httpx2.ReadTimeout("slow")


def kind(outcome: Outcome) -> str | None:
    return outcome.failure.kind if outcome.failure else None


def test_it_returns_the_answer_of_the_first_attempt(fake_model: Fake) -> None:
    model = fake_model(said("Hi"))
    outcome = ask(HISTORY, Assistant())
    assert outcome.completion is not None
    assert outcome.completion.text == "Hi"
    assert (outcome.failure, outcome.postpone_seconds) == (None, None)
    assert outcome.cost_unknown is False
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("answers", "requests", "failed_as"),
    [
        ([httpx2.ConnectError("refused")], 3, "no_connection"),
        ([RESET], 3, "connection_lost"),
        ([TIMEOUT], 2, "timeout"),
        ([refused(408)], 3, "server_error"),
        ([refused(409)], 3, "server_error"),
        ([httpx2.Response(502, html="<h1>")], 3, "server_error"),
        ([refused(429, "rate_limit_exceeded")], 3, "rate_limited"),
        ([refused(429, "insufficient_quota")], 1, "quota"),
        ([refused(401)], 1, "unauthorized"),
        ([refused(403)], 1, "forbidden"),
        ([refused(404)], 1, "model_not_found"),
        ([refused(400, "context_length_exceeded")], 4, "context_length_exceeded"),
        ([refused(400)], 1, "bad_request"),
        ([refused(422)], 1, "bad_request"),
        ([httpx2.Response(200, html="<h1>")], 2, "unreadable"),
        ([said(choices=[])], 2, "unreadable"),
        ([said(" ")], 2, "unreadable"),
        ([said(choices=choice(None, "content_filter"))], 1, "content_filter"),
        # Alternating kinds of failure: three attempts in all, and a count per kind.
        ([refused(500), TIMEOUT, refused(500)], 3, "server_error"),
        ([TIMEOUT, refused(500), TIMEOUT], 3, "timeout"),
    ],
)
def test_it_retries_as_often_as_the_table_says(
    fake_model: Fake, answers: list[httpx2.Response | Exception], requests: int, failed_as: str
) -> None:
    model = fake_model(*answers)
    outcome = ask(HISTORY, Assistant())
    assert (len(model.requests), kind(outcome)) == (requests, failed_as)
    assert outcome.completion is None


@pytest.mark.parametrize("first", [httpx2.ConnectError("no"), RESET, TIMEOUT, refused(500), refused(429), said(" ")])
def test_it_returns_the_answer_of_a_later_attempt(fake_model: Fake, first: httpx2.Response | Exception) -> None:
    fake_model(first, said("At last"))
    outcome = ask(HISTORY, Assistant())
    assert outcome.completion is not None
    assert (outcome.completion.text, outcome.failure) == ("At last", None)
    assert outcome.cost_unknown == (first in (RESET, TIMEOUT))


def test_it_waits_between_attempts(fake_model: Fake, model_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    model_settings.RETRY_TIME_SCALE = 1
    slept: list[float] = []
    monkeypatch.setattr("assistant.model.retries.asyncio.sleep", record(slept))
    fake_model(refused(500))
    ask(HISTORY, Assistant())
    assert slept == [pytest.approx(1, rel=0.21), pytest.approx(4, rel=0.21)]


def record(slept: list[float]) -> Callable[[float], asyncio.Future[None]]:
    def sleep(seconds: float) -> asyncio.Future[None]:
        slept.append(seconds)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    return sleep


def test_it_waits_as_long_as_the_rate_limit_asks(
    fake_model: Fake, model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_settings.RETRY_TIME_SCALE = 1
    slept: list[float] = []
    monkeypatch.setattr("assistant.model.retries.asyncio.sleep", record(slept))
    fake_model(refused(429, headers={"retry-after": "20"}), said("Now"))
    assert ask(HISTORY, Assistant()).completion is not None
    assert len(slept) == 1
    assert 20 <= slept[0] <= 24


@pytest.mark.parametrize(("asked", "shortest", "longest"), [("120", 120, 144), ("86400", 480, 600)])
def test_it_postpones_the_turn_when_the_wait_does_not_fit(
    fake_model: Fake, model_settings: Settings, asked: str, shortest: float, longest: float
) -> None:
    model_settings.RETRY_TIME_SCALE = 1
    model = fake_model(refused(429, "rate_limit_exceeded", headers={"retry-after": asked}))
    outcome = ask(HISTORY, Assistant())
    assert len(model.requests) == 1
    assert outcome.postpone_seconds is not None
    assert shortest <= outcome.postpone_seconds <= longest
    assert kind(outcome) == "rate_limited"


def test_it_postpones_the_turn_when_the_rate_limit_gives_no_time(
    fake_model: Fake, model_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_settings.RETRY_TIME_SCALE = 1
    monkeypatch.setattr("assistant.model.retries.asyncio.sleep", record([]))
    model = fake_model(refused(429))
    outcome = ask(HISTORY, Assistant())
    assert len(model.requests) == 3
    assert outcome.postpone_seconds is not None
    assert 60 <= outcome.postpone_seconds <= 72


def test_it_drops_the_older_half_of_a_history_that_is_too_long(fake_model: Fake) -> None:
    model = fake_model(refused(400, "context_length_exceeded"), said("Hi"))
    outcome = ask(HISTORY, Assistant())
    assert outcome.completion is not None
    assert model.body(0)["messages"][1:] == HISTORY
    assert model.body(1)["messages"][0]["role"] == "system"
    assert model.body(1)["messages"][1:] == HISTORY[4:]


@pytest.mark.parametrize(
    ("history", "kept"), [(HISTORY[:7], HISTORY[4:7]), (HISTORY[:2], HISTORY[1:2]), (HISTORY[:3], HISTORY[2:3])]
)
def test_the_halved_history_begins_with_the_customer(
    fake_model: Fake, history: list[dict[str, object]], kept: list[dict[str, object]]
) -> None:
    model = fake_model(refused(400, "context_length_exceeded"), said("Hi"))
    ask(history, Assistant())
    assert model.body(1)["messages"][1:] == kept


def test_it_cannot_halve_a_single_message(fake_model: Fake) -> None:
    model = fake_model(refused(400, "context_length_exceeded"))
    ask(HISTORY[:1], Assistant())
    assert len(model.requests) == 1


def test_it_respects_the_turns_time_limit(model_settings: Settings, network: FakeNetwork) -> None:
    """A model that hangs: the second attempt gets only what is left."""
    model_settings.MODEL_ATTEMPT_SECONDS = 0.3
    model_settings.MODEL_TURN_SECONDS = 0.4
    asked: list[httpx2.Request] = []

    async def hang(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        await asyncio.Event().wait()
        raise AssertionError

    network.model = hang
    outcome = ask(HISTORY, Assistant())
    assert (len(asked), kind(outcome), outcome.cost_unknown) == (2, "timeout", True)
    assert 0.3 < outcome.seconds < 2


def test_it_does_not_wait_beyond_the_turns_time_limit(fake_model: Fake, model_settings: Settings) -> None:
    model_settings.RETRY_TIME_SCALE = 1
    model_settings.MODEL_TURN_SECONDS = 0.2
    model = fake_model(refused(500))
    ask(HISTORY, Assistant())
    assert len(model.requests) == 1


def test_it_logs_a_warning_for_each_failure_and_no_error(fake_model: Fake, log: pytest.LogCaptureFixture) -> None:
    fake_model(refused(500, message="boom"))
    ask(HISTORY, Assistant())
    told = [record for record in log.records if record.name == "assistant.model.retries"]
    assert [record.levelno for record in told] == [logging.WARNING] * 3
    assert "attempt 3 of 3 failed: server_error: HTTP 500" in told[-1].message


def test_it_asks_once_more_with_more_room_when_reasoning_used_the_tokens(fake_model: Fake) -> None:
    model = fake_model(said(choices=choice(None, "length")), said("Hi"))
    outcome = ask(HISTORY, Assistant(max_output_tokens=2000))
    assert outcome.completion is not None
    assert [model.body(index)["max_completion_tokens"] for index in (0, 1)] == [2000, 8000]
    assert [answer.prompt_tokens for answer in outcome.unused] == [120]


def test_it_asks_no_third_time_for_more_room(fake_model: Fake) -> None:
    model = fake_model(said(choices=choice(None, "length")))
    outcome = ask(HISTORY, Assistant())
    assert (len(model.requests), kind(outcome), len(outcome.unused)) == (2, "no_room", 2)
    assert outcome.failure is not None
    assert "raise “max output tokens”" in outcome.failure.detail
