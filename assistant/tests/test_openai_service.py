"""The request to the model on the wire, and how its response is read."""

from collections.abc import Callable

import httpx2
import pytest
from asgiref.sync import async_to_sync

from assistant.model.client import chat_with_gpt
from assistant.model.errors import ModelFailed
from assistant.models import DEFAULT_INSTRUCTIONS, Assistant

from .fake_model import FakeModel, choice, said

Fake = Callable[..., FakeModel]
HISTORY: list[dict[str, object]] = [
    {"role": "user", "content": "Are you open?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Until when?"},
]
ask = async_to_sync(chat_with_gpt)


def test_it_posts_to_chat_completions_with_the_key(fake_model: Fake) -> None:
    model = fake_model(said())
    ask(HISTORY)
    request = model.requests[0]
    assert (request.method, str(request.url)) == ("POST", "https://model.test/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer sk-test-0123456789"
    assert request.headers["content-type"] == "application/json"


def test_it_puts_the_instructions_first_and_adds_nothing_else(fake_model: Fake) -> None:
    model = fake_model(said())
    ask(HISTORY)
    assert model.body() == {
        "model": "gpt-test",
        "messages": [{"role": "system", "content": DEFAULT_INSTRUCTIONS}, *HISTORY],
        "max_completion_tokens": 800,
    }


def test_it_uses_the_settings_of_the_tenants_assistant(fake_model: Fake) -> None:
    model = fake_model(said())
    assistant = Assistant(
        instructions="Be a pirate.",
        model="gpt-other",
        temperature=0,
        max_output_tokens=50,
        api_key="sk-tenant-key",
        base_url="https://tenant.test/api",
    )
    ask(HISTORY, assistant)
    body = model.body()
    assert str(model.requests[0].url) == "https://tenant.test/api/chat/completions"
    assert model.requests[0].headers["authorization"] == "Bearer sk-tenant-key"
    assert (body["model"], body["temperature"], body["max_completion_tokens"]) == ("gpt-other", 0, 50)
    assert body["messages"][0] == {"role": "system", "content": "Be a pirate."}


def test_it_sends_an_unchanged_prefix_so_that_the_prompt_cache_works(fake_model: Fake) -> None:
    model = fake_model(said())
    ask(HISTORY[:1])
    ask(HISTORY)
    assert model.body(0)["messages"] == model.body(1)["messages"][:2]


def test_it_never_reveals_the_installation_to_a_tenants_endpoint(
    fake_model: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-ours")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    model = fake_model(said())
    ask(HISTORY, Assistant(api_key="sk-tenant-key", base_url="https://tenant.test/api"))
    assert "ours" not in str(model.requests[0].headers)


@pytest.mark.parametrize("key", ["", "  ", "sk-with\nnewline", "sk-schlüssel", "two words"])
def test_it_makes_no_call_without_a_valid_key(fake_model: Fake, key: str) -> None:
    model = fake_model(said())
    with pytest.raises(ModelFailed) as failed:
        ask(HISTORY, Assistant(api_key=key, base_url="https://tenant.test/api"))
    assert failed.value.kind == "no_key"
    assert model.requests == []


def test_it_tries_once_only(fake_model: Fake) -> None:
    model = fake_model(httpx2.Response(500), said())
    with pytest.raises(ModelFailed):
        ask(HISTORY)
    assert len(model.requests) == 1


def test_it_returns_the_text_and_the_usage(fake_model: Fake) -> None:
    fake_model(said("  Until six.\n"))
    completion = ask(HISTORY)
    assert completion.text == "Until six."
    assert completion.model == "gpt-test-2026"
    assert (completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens) == (120, 100, 7)
    assert completion.usage_estimated is False
    assert completion.seconds >= 0


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": "7"}, []])
def test_it_estimates_tokens_that_the_service_did_not_count(fake_model: Fake, usage: object) -> None:
    fake_model(said("x" * 400, usage=usage))
    completion = ask([{"role": "user", "content": "y" * 4000}])
    assert completion.usage_estimated is True
    assert 100 <= completion.completion_tokens <= 102
    assert 1000 <= completion.prompt_tokens <= 1100


@pytest.mark.parametrize(
    ("cut_off", "kept"),
    [
        ("We open at 8. We close at 6! And on Sund", "We open at 8. We close at 6!"),
        ('He said "come in." Then the', 'He said "come in."'),
        ("It costs 3.50 euro and", "It costs 3.50 euro and"),
        ("営業は八時からです。閉店は", "営業は八時からです。"),
        ("Whole.", "Whole."),
    ],
)
def test_it_trims_a_cut_off_answer_to_its_last_sentence(fake_model: Fake, cut_off: str, kept: str) -> None:
    fake_model(said(choices=choice(cut_off, "length")))
    completion = ask(HISTORY)
    assert completion.text == kept


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Hello\\u0000 there", "Hello there"),
        ("Great \\ud83d", "Great"),
        ("A\\u0007B\\u001bC\\u007fD\\u0085E", "ABCDE"),
        ("one\\r\\ntwo\\tthree", "one\ntwo\tthree"),
        ("\\ud83d\\ude00", "😀"),
    ],
)
def test_it_cleans_the_text(fake_model: Fake, raw: str, text: str) -> None:
    body = said("MARK").content.replace(b"MARK", raw.encode())
    fake_model(httpx2.Response(200, content=body))
    assert ask(HISTORY).text == text


def test_it_shortens_the_models_name_to_its_end(fake_model: Fake) -> None:
    fake_model(said("Hi", model="/cache/" + "x" * 140 + "/mo\0del-Q4_K_M.gguf"))
    name = ask(HISTORY).model
    assert len(name) == 100
    assert name.endswith("x/model-Q4_K_M.gguf")


def test_it_shortens_a_text_without_end(fake_model: Fake) -> None:
    fake_model(said("All is well. " * 100_000))
    assert 32_000 < len(ask(HISTORY).text) <= 32_768


@pytest.mark.parametrize("count", [-5, 10**30, 1e300, True, "120", [3], {"a": 1}, 0])
def test_it_estimates_counts_that_cannot_be(fake_model: Fake, count: object) -> None:
    fake_model(said("x" * 40, usage={"prompt_tokens": count, "completion_tokens": count}))
    completion = ask([{"role": "user", "content": "y" * 400}])
    assert completion.usage_estimated is True
    assert (completion.completion_tokens, 100 < completion.prompt_tokens < 300) == (11, True)


def test_it_reads_counts_that_are_floats_and_caps_cached_ones(fake_model: Fake) -> None:
    usage = {"prompt_tokens": 120.0, "completion_tokens": 7.0, "prompt_tokens_details": {"cached_tokens": 500}}
    fake_model(said("Hi", usage=usage))
    completion = ask(HISTORY)
    assert (completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens) == (120, 120, 7)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "thinking", "thinking": [{"type": "text", "text": "inner"}]}, {"type": "text", "text": "Hello."}],
        [{"type": "reasoning", "text": "inner"}, {"type": "output_text", "text": "Hello."}],
        {"type": "text", "text": "Hello."},
        ["Hel", "lo."],
    ],
)
def test_it_reads_content_in_parts(fake_model: Fake, content: object) -> None:
    fake_model(said(content))
    assert ask(HISTORY).text == "Hello."


@pytest.mark.parametrize(
    ("base_url", "asked", "header"),
    [
        ("/openai/deployments/x?api-version=2024-10-21", "/openai/deployments/x{}?api-version=2024-10-21", "api-key"),
        ("/v1/?route=eu", "/v1{}?route=eu", "authorization"),
        ("/v1/chat/completions", "/v1{}", "authorization"),
        ("user:pass@/v1", "/v1{}", "authorization"),
    ],
)
def test_it_keeps_the_query_of_the_base_url(fake_model: Fake, base_url: str, asked: str, header: str) -> None:
    model = fake_model(said())
    user, _, path = base_url.rpartition("@")
    base_url = f"https://{user}@model.test{path}" if user else f"https://model.test{path}"
    ask(HISTORY, Assistant(api_key="tenant-key", base_url=base_url))
    assert str(model.requests[0].url) == f"https://model.test{asked.format('/chat/completions')}"
    assert ("tenant-key" in model.requests[0].headers[header]) is ("@" not in base_url)
