"""Each row of the model's table: which response is of which kind, and what to do about it."""

import email.utils
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from asgiref.sync import async_to_sync
from pytest_django import Settings

from assistant.model import errors
from assistant.model.client import chat_with_gpt
from assistant.model.errors import RULES, ModelFailed, Rule

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
        (refused(413), "context_length_exceeded"),
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
        said(choices=[]),
        said(choices=None),
        said(choices="Hello"),
        said(choices=["Hello"]),
        said(choices=[{"index": 0, "message": None}]),
        said(None),
        said("  \n"),
        said([{"type": "thinking", "thinking": "Hm."}]),
        said(choices=choice(None, "tool_calls")),
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
        "no_room": (0,),
        "invented": (0,),
        "leaked": (0,),
    }
    assert rows_with("stop_endpoint") == {"quota", "unauthorized", "forbidden"}
    assert rows_with("tell_operators") == {"quota", "unauthorized", "forbidden", "model_not_found", "no_key"}
    assert rows_with("halve_history") == {"context_length_exceeded"}
    assert rows_with("postpone") == {"rate_limited"}
    assert rows_with("cost_unknown") == {"timeout", "connection_lost"}
    assert rows_with("more_room") == {"no_room"}


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


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"error": {"message": "Insufficient credits", "code": 402}, "user_id": "u"}, "quota", "Insufficient credits"),
        ({"error": {"message": "Provider error", "code": 429}, "choices": None}, "rate_limited", "Provider error"),
        ({"error": {"message": "Overloaded", "code": "503"}}, "server_error", "Overloaded"),
        ({"error": {"message": "No such key", "type": "authentication_error"}}, "unauthorized", "No such key"),
        ({"error": "something broke"}, "server_error", "something broke"),
        ({"object": "error", "message": "Too many requests", "code": 429}, "rate_limited", "Too many requests"),
        ({"code": 402, "message": "Insufficient balance"}, "quota", "Insufficient balance"),
        ({"choices": [{"error": {"code": 502, "message": "Died"}, "message": {}}]}, "server_error", "Died"),
    ],
)  # fmt: skip
def test_an_error_in_a_200_is_treated_as_its_code_says(
    fake_model: Fake, body: dict[str, object], kind: str, words: str
) -> None:
    failed = failure(fake_model, httpx2.Response(200, json=body))
    assert failed.kind == kind
    assert words in failed.detail


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "plain"}}', "plain"),
        ('{"error": "a string"}', "a string"),
        ('{"object": "error", "message": "at the top", "code": 400}', "at the top"),
        ('{"message": {"detail": [{"loc": ["body", "top_k"], "msg": "Extra input"}]}}', "top_k: Extra input"),
        ('{"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Bad role"}]}', "messages.0.role: Bad role"),
        ('[{"error": {"code": 400, "message": "in a list", "status": "INVALID_ARGUMENT"}}]', "in a list"),
        ('{"errors": [{"message": "one"}, {"message": "two"}]}', "one; two"),
        ('{"error": {"message": "up", "metadata": {"raw": "{\\"error\\": {\\"message\\": \\"deep\\"}}"}}}', "up; deep"),
        ('{"error": {"message": "bad \\u0000 value"}}', "bad value"),
        ('{"error": {"message": "bad \\ud83d value"}}', "bad value"),
        ('{"nothing": "known"}', '{"nothing": "known"}'),
        ("<html><title>No</title><style>p{}</style><body><h1>Bad &amp; ugly</h1></html>", "No Bad & ugly"),
        ("just text", "just text"),
        ("", "no reason given"),
    ],
)  # fmt: skip
def test_it_says_in_plain_words_what_the_service_said(fake_model: Fake, body: str, words: str) -> None:
    assert failure(fake_model, httpx2.Response(400, content=body.encode())).detail == f"HTTP 400: {words}"


REFUSALS = json.loads(Path(__file__).with_name("refusals.json").read_text())


@pytest.mark.parametrize("row", REFUSALS, ids=[row["words"][:40] for row in REFUSALS])
def test_it_reads_a_refusal_in_any_services_words(fake_model: Fake, row: dict[str, Any]) -> None:
    assert failure(fake_model, refused(row["status"], message=row["words"])).kind == row["kind"]


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 7.66s.", 7.66),
        ("Please try again in 1m2.5s.", 62.5),
        ("Please try again in 250ms.", 0.25),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("Try again later.", None),
    ],
)
def test_it_reads_how_long_to_wait_from_the_words(fake_model: Fake, words: str, seconds: float | None) -> None:
    assert failure(fake_model, refused(429, message=words)).retry_after == seconds


@pytest.mark.parametrize("reply", ["", None, " \n", "\u200b", "<think>\nThe cost is 4 euro."])
def test_reasoning_that_used_all_tokens_is_told_apart(fake_model: Fake, reply: str | None) -> None:
    failed = failure(fake_model, said(choices=choice(reply, "length", reasoning_content="Hm.")))
    assert (failed.kind, failed.rule.more_room) == ("no_room", True)
    assert failed.billed is not None
    assert (failed.billed.prompt_tokens, failed.billed.completion_tokens) == (120, 7)
