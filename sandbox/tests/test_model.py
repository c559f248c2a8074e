"""The model stand-in implements OpenAI's chat completions, with replies that are easy to follow."""

import json
from typing import Any

import openai
import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from sandbox.model import reader
from sandbox.model.replies import read, reply

pytestmark = pytest.mark.django_db
SYSTEM = {"role": "system", "content": "You are the assistant of Mill Bakery. Be kind."}


def said(*texts: str) -> list[dict[str, Any]]:
    """A conversation in which every text but the last has a reply."""
    turns: list[dict[str, Any]] = [SYSTEM]
    for text in texts[:-1]:
        turns += [{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]
    return [*turns, {"role": "user", "content": texts[-1]}]


def complete(body: Any, key: str = "sandbox") -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return Client().post("/sandbox/openai/v1/chat/completions", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["Hello"], "assistant of Mill Bakery"),
        (["My name is anna", "hi"], "Hello, Anna!"),
        (["My name is anna"], "Nice to meet you, Anna"),
        (["call me Bo", "what is my name?"], "Your name is Bo."),
        (["two rolls", "and a cake", "What do you remember?"], "1. two rolls\n2. and a cake"),
        (["two rolls", "and a cake", "what was my first message?"], "“two rolls”"),
        (["two rolls", "a cake", "how many messages did I write?"], "3 messages"),
        (["two rolls", "a cake"], "You wrote: “a cake”. My instructions say nothing about that."),
        (["I want to talk to a human"], "colleague"),
    ],
)
def test_it_answers_from_the_conversation(texts: list[str], words: str) -> None:
    assert words in reply(read(said(*texts)))


def test_it_hands_over_when_a_tool_is_offered_and_tells_what_happens_next() -> None:
    tools = [{"type": "function", "function": {"name": "hand_over", "parameters": {}}}]
    situation = "<situation>\nNow: Monday.\n</situation>\n"
    messages = said(f"{situation}I want to talk to a human")
    message = complete({"model": "m", "messages": messages, "tools": tools}).json()["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert json.loads(call["function"]["arguments"])["reason"] == "asked"
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Recorded. Promise nothing else: Back at nine."}
    again = complete({"model": "m", "messages": [*messages, message, result], "tools": tools}).json()
    assert again["choices"][0]["message"]["content"] == "Of course. Back at nine."


def test_it_answers_in_openais_format() -> None:
    answer = complete({"model": "gpt-5.4-mini", "messages": said("two rolls")}).json()
    assert (answer["object"], answer["model"]) == ("chat.completion", "gpt-5.4-mini")
    assert answer["choices"][0]["finish_reason"] == "stop"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    long = complete({"model": "m", "messages": said("x" * 8000, "b")}).json()["usage"]
    assert long["prompt_tokens_details"]["cached_tokens"] >= 1024


def test_it_notices_images_and_does_not_log_them() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 6_000_000}}
    content = [{"type": "text", "text": "What is this?"}, picture]
    answer = complete({"model": "m", "messages": [{"role": "user", "content": content}]}).json()
    assert "I can see a picture and read: “What is this?”" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] < 2_000
    entry = Client().get("/sandbox/log").json()["entries"][0]
    assert len(json.dumps(entry)) < 2_000


def test_it_stops_at_the_requested_token_limit() -> None:
    answer = complete({"model": "m", "messages": said("two rolls"), "max_completion_tokens": 3}).json()
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("body", "key", "status", "code"),
    [
        ({"model": "m", "messages": []}, "k", 400, "empty_array"),
        ({"model": "m"}, "k", 400, "missing_required_parameter"),
        ({"messages": [SYSTEM]}, "k", 400, None),
        ({"model": "m", "messages": [{"role": "king", "content": "x"}]}, "k", 400, "invalid_value"),
        ({"model": "m", "messages": [{"role": "user", "content": 3}]}, "k", 400, "invalid_type"),
        ("{", "k", 400, None),
        ({"model": "m", "messages": [SYSTEM]}, "", 401, None),
    ],
)
def test_it_refuses_in_openais_format(body: Any, key: str, status: int, code: str | None) -> None:
    response = complete(body, key)
    assert response.status_code == status
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code


@pytest.mark.django_db(transaction=True)
def test_it_satisfies_the_openai_client(live_server: LiveServer) -> None:
    messages: Any = said("two rolls")
    with openai.OpenAI(api_key="k", base_url=f"{live_server.url}/sandbox/openai/v1", max_retries=0) as client:
        whole = client.chat.completions.create(model="m", messages=messages)
        assert "colleague" in (whole.choices[0].message.content or "")
        pieces = client.chat.completions.create(
            model="m", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(pieces)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert "colleague" in text
        assert chunks[-1].usage is not None
        assert {model.id for model in client.models.list()} >= {"Sandbox model"}


def test_it_keeps_a_log_of_every_request() -> None:
    complete({"model": "m", "messages": said("two rolls")})
    complete("{")
    entries = Client().get("/sandbox/log?area=model").json()["entries"]
    assert [entry["status"] for entry in entries] == [200, 400]
    assert entries[0]["body"]["messages"][-1]["content"] == "two rolls"
    assert json.dumps(entries[1]["outcome"])
    assert Client().delete("/sandbox/log").status_code == 204
    assert Client().get("/sandbox/log").json() == {"entries": []}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which colour has my bicycle?", "My bicycle has a green colour."),
        ("What is the price of a rye loaf?", "Rye loaf: 4.20 EUR"),
        ("When do you deliver?", "We deliver from Monday to Friday."),
        ("私の犬の名前は何ですか", "私の犬の名前はポチです。"),
        ("Do you repair umbrellas?", "I'm afraid I don't know that. Shall I ask a colleague?"),
        ("How much is a wheat bun?", "I'm afraid I don't know that. Shall I ask a colleague?"),
        ("I want to talk to a human", "colleague"),
    ],
)
def test_the_reader_answers_only_from_its_prompt(question: str, answer: str) -> None:
    messages = [
        {
            "role": "system",
            "content": "You are the assistant of Mill Bakery. We deliver from Monday to Friday. Be kind.",
        },
        {"role": "user", "content": "Hello! My bicycle has a green colour. 私の犬の名前はポチです。"},
        {"role": "assistant", "content": "What a pity that it's raining."},
        {"role": "user", "content": f"<situation>\nNow: Monday\nRye loaf: 4.20 EUR\n</situation>\n{question}"},
    ]
    answered = complete({"model": reader.NAME, "messages": messages}).json()
    content = answered["choices"][0]["message"]["content"]
    assert answer in content
