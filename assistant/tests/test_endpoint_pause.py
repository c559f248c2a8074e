"""A model without credit or with a rejected key isn't called again for a while."""

import datetime as dt
import logging
from collections.abc import Callable

import httpx2
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from assistant.model.retries import complete, scope
from assistant.models import Assistant
from conversations.models import Pause

from .conftest import KEY
from .fake_model import FakeModel, refused, said

pytestmark = pytest.mark.django_db(transaction=True)

Fake = Callable[..., FakeModel]
HISTORY: list[dict[str, object]] = [{"role": "user", "content": "Hello"}]
NO_CREDIT = refused(429, "credit_balance_exhausted", "insufficient_quota", "You have no credit.")
ask = async_to_sync(complete)


@pytest.fixture(autouse=True)
def real_time(model_settings: Settings) -> None:
    model_settings.RETRY_TIME_SCALE = 1


@pytest.mark.parametrize("answer", [NO_CREDIT, refused(402), refused(401), refused(403)])
def test_it_stops_calling_for_a_quarter_of_an_hour(fake_model: Fake, answer: httpx2.Response) -> None:
    model = fake_model(answer)
    ask(HISTORY, Assistant())
    again = ask(HISTORY, Assistant())
    assert len(model.requests) == 1
    assert again.failure is not None
    assert (again.failure.kind, again.completion) == ("endpoint_paused", None)
    pause = Pause.objects.get()
    assert pause.until is not None
    assert timezone.now() + dt.timedelta(minutes=14) < pause.until < timezone.now() + dt.timedelta(minutes=16)


def test_it_calls_again_when_the_pause_is_over(fake_model: Fake) -> None:
    fake_model(NO_CREDIT, said("Back"))
    ask(HISTORY, Assistant())
    Pause.objects.update(until=timezone.now())
    assert ask(HISTORY, Assistant()).completion is not None


def test_it_pauses_again_when_nothing_has_changed(fake_model: Fake) -> None:
    fake_model(NO_CREDIT)
    ask(HISTORY, Assistant())
    Pause.objects.update(until=timezone.now())
    ask(HISTORY, Assistant())
    assert Pause.objects.active().count() == 1


def test_it_calls_again_as_soon_as_the_key_changes(fake_model: Fake, model_settings: Settings) -> None:
    fake_model(NO_CREDIT, said("Back"))
    ask(HISTORY, Assistant())
    model_settings.OPENAI_API_KEY = "sk-new"
    assert ask(HISTORY, Assistant()).completion is not None


def test_it_does_not_pause_another_tenants_key_or_url(fake_model: Fake) -> None:
    model = fake_model(NO_CREDIT, refused(401), said("Fine"))
    first, second = Assistant(), Assistant(api_key="sk-second")
    ask(HISTORY, first)
    ask(HISTORY, second)
    assert ask(HISTORY, Assistant(api_key="sk-third")).completion is not None
    # And one doesn't end the other's pause.
    assert [ask(HISTORY, held).completion for held in (first, second)] == [None, None]
    assert len(model.requests) == 3


@pytest.mark.parametrize(
    "answer", [refused(404), refused(500), refused(429, "slow_down", headers={"retry-after": "99"})]
)
def test_it_does_not_pause_for_other_failures(
    fake_model: Fake, model_settings: Settings, answer: httpx2.Response
) -> None:
    model_settings.RETRY_TIME_SCALE = 0
    fake_model(answer)
    ask(HISTORY, Assistant())
    assert not Pause.objects.exists()


def test_it_keeps_the_key_out_of_the_pause_and_the_log(fake_model: Fake, log: pytest.LogCaptureFixture) -> None:
    fake_model(refused(401, "invalid_api_key", message=f"Incorrect API key provided: {KEY}"))
    address = "https://user:secret-word@model.test/v1?token=secret-word"
    ask(HISTORY, Assistant(api_key=KEY, base_url=address))
    pause = Pause.objects.get()
    assert pause.scope.startswith("model:https://model.test/v1:")
    written = f"{pause.scope} {pause.reason} {pause.credential} {log.text}"
    assert KEY not in written
    assert "secret-word" not in written


def test_it_keeps_the_scope_within_its_column() -> None:
    assistant = Assistant(base_url=f"https://model.test/{'x' * 500}", api_key=KEY)
    assert len(scope(assistant)) <= 300


def test_it_tells_operators_once_what_to_do(fake_model: Fake, log: pytest.LogCaptureFixture) -> None:
    fake_model(NO_CREDIT)
    ask(HISTORY, Assistant())
    ask(HISTORY, Assistant())
    errors = [record.message for record in log.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "Add credit" in errors[0]
    assert "endpoint_paused: not called: quota: HTTP 429" in log.text


def test_it_makes_no_call_without_a_key(
    fake_model: Fake, model_settings: Settings, log: pytest.LogCaptureFixture
) -> None:
    model_settings.OPENAI_API_KEY = ""
    model = fake_model(said())
    outcome = ask(HISTORY, Assistant())
    assert outcome.failure is not None
    assert (outcome.failure.kind, len(model.requests)) == ("no_key", 0)
    assert "Set OPENAI_API_KEY" in log.text


def test_it_never_sends_the_installations_key_to_a_tenants_url(fake_model: Fake) -> None:
    model = fake_model(said())
    outcome = ask(HISTORY, Assistant(base_url="https://tenant.test/v1"))
    assert outcome.failure is not None
    assert outcome.failure.kind == "no_key"
    assert model.requests == []


def test_it_reads_the_pauses_once_per_turn(fake_model: Fake, model_settings: Settings) -> None:
    model_settings.RETRY_TIME_SCALE = 0
    fake_model(refused(500))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        ask(HISTORY, Assistant())
    assert len(queries) == 1
