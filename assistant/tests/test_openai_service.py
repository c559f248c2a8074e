"""The request to the model on the wire, and how its response is read."""

from collections.abc import Callable

import httpx2
import pytest
from asgiref.sync import async_to_sync

from assistant.model.client import ModelFailed, chat_with_gpt
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
