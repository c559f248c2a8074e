"""The stand-ins misbehave only if a rule says so."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from sandbox.models import Message
from sandbox.pool import pool
from sandbox.tests.conftest import Bot
from sandbox.tests.graph import NUMBER, PERSON, send
from sandbox.tests.phone import chat, do, set_weather

pytestmark = pytest.mark.django_db(transaction=True)


def rule(area: str, kind: str, **params: Any) -> dict[str, Any]:
    return {"area": area, "kind": kind, **params}


def statuses(bot: Bot, count: int) -> list[str]:
    return [item["status"] for item in bot.next_statuses(count)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"area": "sky", "kind": "rain"}, "area"),
        ({"area": "graph", "kind": "rain"}, "kind"),
        (rule("graph", "error", times=0), "times"),
        (rule("graph", "error", code="many"), "code"),
        (rule("graph", "error", colour="red"), "no parameter"),
        ([], "object"),
    ],
)
def test_it_explains_what_is_wrong_with_a_rule(given: Any, words: str) -> None:
    response = Client().put("/sandbox/weather", {"rules": [given]}, content_type="application/json")
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_it_counts_down_and_clears() -> None:
    set_weather(rule("graph", "error", code=131056, times=2), rule("graph", "error", code=190))
    assert [send().json()["error"]["code"] for _ in range(3)] == [131056, 131056, 190]
    left = Client().get("/sandbox/weather").json()["rules"]
    assert [(r["code"], r["times"]) for r in left] == [(190, None)]
    assert Client().delete("/sandbox/weather").json()["rules"] == []
    assert send().status_code == 200


def test_a_rule_can_apply_to_some_requests_only(bot: Bot) -> None:
    set_weather(rule("graph", "error", code=131056, to=PERSON), rule("graph", "error", phone_number_id="17"))
    assert send().status_code == 400
    assert send(to="15550007777").status_code == 200
    assert send(to="15550007777", number="17").status_code == 500


@pytest.mark.parametrize(("kind", "stored"), [("closed", 0), ("no_answer", 1)])
def test_it_closes_the_connection(live_server: LiveServer, bot: Bot, kind: str, stored: int) -> None:
    set_weather(rule("graph", kind, times=1))
    body = {"messaging_product": "whatsapp", "to": PERSON, "type": "text", "text": {"body": "Hello"}}
    url = f"{live_server.url}/sandbox/graph/v24.0/{NUMBER}/messages"
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        httpx2.post(url, json=body, headers={"Authorization": "Bearer any"})
    assert Message.objects.count() == stored
    if stored:
        assert statuses(bot, 2) == ["sent", "delivered"]
    entry = Client().get("/sandbox/log?area=graph").json()["entries"][-1]
    assert entry["status"] is None
    assert kind.split("_")[-1] in entry["outcome"]


def test_it_answers_html_and_truncated_json_and_fails_later(bot: Bot) -> None:
    set_weather(rule("graph", "html", times=1), rule("graph", "unreadable", times=1), rule("graph", "failed", times=1))
    page = send()
    assert (page.status_code, page["Content-Type"]) == (502, "text/html; charset=utf-8")
    half = send()
    assert half.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        half.json()
    assert statuses(bot, 2) == ["sent", "delivered"]
    assert send().status_code == 200
    failed = bot.next_statuses(1)[0]
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131026)


def test_it_injects_faults_into_statuses(bot: Bot) -> None:
    set_weather(
        rule("webhook", "reorder", times=1),
        rule("webhook", "read_without_delivered", times=1),
        rule("webhook", "no_statuses", times=1),
    )
    send()
    assert pool.wait_idle(10)
    assert bot.received.empty()
    send()
    assert statuses(bot, 2) == ["delivered", "sent"]
    send()
    assert statuses(bot, 2) == ["sent", "read"]
    set_weather(rule("webhook", "duplicate", times=1, copies=2))
    send()
    assert statuses(bot, 4) == ["sent", "sent", "sent", "delivered"]


def test_it_batches_customers_messages(bot: Bot) -> None:
    set_weather(rule("webhook", "batch", size=2, times=1))
    do("text", text="one")
    assert pool.wait_idle(10)
    assert chat()["messages"][0]["state"] == "held"
    do("text", text="two")
    entries = httpx2.Response(200, content=bot.next().raw).json()["entry"]
    assert [e["changes"][0]["value"]["messages"][0]["text"]["body"] for e in entries] == ["one", "two"]


def test_it_delivers_a_batch_when_the_rules_change(bot: Bot) -> None:
    set_weather(rule("webhook", "batch", size=9))
    do("text", text="one")
    assert pool.wait_idle(10)
    set_weather()
    assert bot.next().value["messages"][0]["text"]["body"] == "one"


@pytest.mark.usefixtures("bot")
def test_it_signs_with_a_wrong_secret(bot: Bot) -> None:
    set_weather(rule("webhook", "bad_signature", times=1))
    do("text", text="one")
    wrong = bot.next()
    do("again", wamid=wrong.value["messages"][0]["id"])
    right = bot.next()
    assert wrong.raw == right.raw
    assert wrong.signature != right.signature


@pytest.fixture
def ask(live_server: LiveServer) -> Iterator[Callable[[], Any]]:
    with openai.OpenAI(api_key="k", base_url=f"{live_server.url}/sandbox/openai/v1", max_retries=0) as client:
        yield lambda: client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "two rolls please"}]
        )


ERRORS: list[tuple[str, type[openai.APIStatusError], str | None]] = [
    ("rate_limited", openai.RateLimitError, "rate_limit_exceeded"),
    ("insufficient_quota", openai.RateLimitError, "insufficient_quota"),
    ("unauthorized", openai.AuthenticationError, "invalid_api_key"),
    ("model_not_found", openai.NotFoundError, "model_not_found"),
    ("context_length_exceeded", openai.BadRequestError, "context_length_exceeded"),
    ("server_error", openai.InternalServerError, None),
]


@pytest.mark.parametrize(("kind", "error", "code"), ERRORS)
def test_the_model_refuses(
    ask: Callable[[], Any], kind: str, error: type[openai.APIStatusError], code: str | None
) -> None:
    set_weather(rule("model", kind, times=1))
    with pytest.raises(error) as raised:
        ask()
    assert raised.value.code == code
    if kind == "rate_limited":
        assert raised.value.response.headers["Retry-After"] == "2"
    assert ask().choices


def test_the_model_sends_faulty_responses(ask: Callable[[], Any]) -> None:
    def under(kind: str, **params: Any) -> Any:
        set_weather(rule("model", kind, times=1, **params))
        return ask()

    assert under("empty").choices == []
    assert under("blank").choices[0].message.content == " "
    assert under("content_filter").choices[0].finish_reason == "content_filter"
    assert under("length").choices[0].finish_reason == "length"
    assert under("refusal").choices[0].message.refusal
    assert under("no_usage").usage is None
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        under("cut")
    with pytest.raises((openai.APIConnectionError, httpx2.HTTPError)):
        under("hang", seconds=0.1)
    set_weather(rule("model", "slow", times=1, seconds=0.1), rule("model", "trickle", times=1, seconds=0.2))
    assert "two rolls" in ask().choices[0].message.content
