"""Each row of the model's table: which response is of which kind, and what to do about it."""

import email.utils
import json
import time
from collections.abc import Callable

import httpx2
import pytest
from asgiref.sync import async_to_sync
from pytest_django import Settings

from assistant.model import errors
from assistant.model.client import ModelFailed, chat_with_gpt
from assistant.model.errors import RULES, Rule

from .conftest import KEY
from .fake_model import FakeModel, choice, refused, said

Fake = Callable[..., FakeModel]
REQUEST = httpx2.Request("POST", "https://model.test/v1/chat/completions")


def failure(fake_model: Fake, answer: httpx2.Response | Exception) -> ModelFailed:
    fake_model(answer)
    with pytest.raises(ModelFailed) as failed:
        async_to_sync(chat_with_gpt)([{"role": "user", "content": "Hello"}])
    return failed.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx2.ConnectError("refused", request=REQUEST), "no_connection"),
        (httpx2.ConnectTimeout("slow", request=REQUEST), "no_connection"),
        (httpx2.ReadError("reset", request=REQUEST), "connection_lost"),
        (httpx2.RemoteProtocolError("hung up", request=REQUEST), "connection_lost"),
        (httpx2.ReadTimeout("slow", request=REQUEST), "timeout"),
        (httpx2.WriteTimeout("slow", request=REQUEST), "timeout"),
        (httpx2.DecodingError("not gzip", request=REQUEST), "connection_lost"),
        (RuntimeError("never seen"), "connection_lost"),
    ],
)
def test_it_distinguishes_broken_connections(fake_model: Fake, error: Exception, kind: str) -> None:
    assert failure(fake_model, error).kind == kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(408), "server_error"),
        (refused(409), "server_error"),
        (refused(500), "server_error"),
        (httpx2.Response(502, html="<h1>Bad gateway</h1>"), "server_error"),
        (refused(503, "server_is_overloaded"), "server_error"),
        (refused(429, "rate_limit_exceeded", "tokens"), "rate_limited"),
        (refused(429, "slow_down", "rate_limit_error"), "rate_limited"),
        (httpx2.Response(429, text="slow down"), "rate_limited"),
        (refused(429, "insufficient_quota", "insufficient_quota"), "quota"),
        (refused(429, "credit_balance_exhausted", "insufficient_quota"), "quota"),
        (refused(429, "project_spend_limit_exceeded", "insufficient_quota"), "quota"),
        (refused(429, "organization_spend_limit_exceeded"), "quota"),
        (refused(402, None, "", "Insufficient Balance"), "quota"),
        (refused(401, "invalid_api_key"), "unauthorized"),
        (refused(403, "unsupported_country_region_territory"), "forbidden"),
        (refused(404, "model_not_found"), "model_not_found"),
        (refused(400, "context_length_exceeded"), "context_length_exceeded"),
        (refused(400, 400, "", "This model's maximum context length is 8192 tokens."), "context_length_exceeded"),
        (refused(400, "content_filter"), "content_filter"),
        (refused(400, "unsupported_value"), "bad_request"),
        (refused(422), "bad_request"),
        (refused(413), "bad_request"),
        (httpx2.Response(302, headers={"location": "https://elsewhere.test"}), "bad_request"),
    ],
)
def test_it_names_each_refusal(fake_model: Fake, answer: httpx2.Response, kind: str) -> None:
    assert failure(fake_model, answer).kind == kind


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, html="<h1>Welcome to nginx</h1>"),
        httpx2.Response(200, text="<h1>", headers={"content-type": "application/json"}),
        httpx2.Response(200, content=b'{"id": "cut', headers={"content-type": "application/json"}),
        httpx2.Response(200, content=b"\xff\xfe", headers={"content-type": "application/json"}),
        httpx2.Response(200, content=b"", headers={"content-type": "application/json"}),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json="Hello"),
        httpx2.Response(200, json={}),
        httpx2.Response(200, json={"error": {"message": "upstream failed", "code": 502}}),
        said(choices=[]),
        said(choices=None),
        said(choices="Hello"),
        said(choices=["Hello"]),
        said(choices=[{"index": 0, "message": None}]),
        said(None),
        said("  \n"),
        said(["Hello"]),
        said(choices=choice(None, "tool_calls")),
        said(choices=choice("", "length")),
    ],
)
def test_a_200_without_text_is_not_an_answer(fake_model: Fake, answer: httpx2.Response) -> None:
    assert failure(fake_model, answer).kind == "unreadable"


@pytest.mark.parametrize(
    "choices", [choice(None, "content_filter"), choice("Half an", "content_filter"), choice(None, refusal="I can't.")]
)
def test_it_recognizes_a_refusal_to_answer(fake_model: Fake, choices: object) -> None:
    assert failure(fake_model, said(choices=choices)).kind == "content_filter"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after": "1", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_it_reads_how_long_to_wait(fake_model: Fake, headers: dict[str, str], seconds: float | None) -> None:
    assert failure(fake_model, refused(429, headers=headers)).retry_after == seconds


def test_it_reads_a_date_to_wait_until(fake_model: Fake) -> None:
    date = email.utils.formatdate(time.time() + 90, usegmt=True)
    assert failure(fake_model, refused(429, headers={"retry-after": date})).retry_after == pytest.approx(90, abs=3)


@pytest.mark.parametrize("quoted", [KEY, "sk-proj-abc***xyz"])
def test_it_never_repeats_a_key(fake_model: Fake, quoted: str) -> None:
    failed = failure(fake_model, refused(401, "invalid_api_key", message=f"Incorrect API key provided: {quoted}."))
    assert "sk-" not in f"{failed} {failed.detail} {failed.__cause__} {json.dumps(failed.args)}"


def test_each_row_says_what_to_do() -> None:
    """The specification's table, transcribed by hand."""
    retried = {kind: rule.waits for kind, rule in RULES.items() if rule.waits}
    assert retried == {
        "no_connection": (0.5, 2),
        "connection_lost": (0.5, 2),
        "timeout": (0,),
        "server_error": (1, 4),
        "rate_limited": (2, 8),
        "unreadable": (0.5,),
    }
    assert rows_with("stop_endpoint") == {"quota", "unauthorized", "forbidden"}
    assert rows_with("tell_operators") == {"quota", "unauthorized", "forbidden", "model_not_found", "no_key"}
    assert rows_with("halve_history") == {"context_length_exceeded"}
    assert rows_with("postpone") == {"rate_limited"}
    assert rows_with("cost_unknown") == {"timeout", "connection_lost"}
    assert set(RULES) - rows_with("fallback") == {"bad_request"}


def rows_with(field: str) -> set[str]:
    return {kind for kind, rule in RULES.items() if getattr(rule, field)}


def test_it_tells_operators_what_to_do() -> None:
    assert [kind for kind, rule in RULES.items() if rule.tell_operators != bool(rule.advice)] == []
    assert Rule().advice == ""


def test_it_spreads_and_scales_the_waits(settings: Settings) -> None:
    settings.RETRY_TIME_SCALE = 0.5
    waits = {errors.jittered(10) for _ in range(200)}
    assert 4 <= min(waits) < 4.5
    assert 5.5 < max(waits) <= 6
    assert 5 <= min(errors.at_least(10) for _ in range(200)) < 5.5
