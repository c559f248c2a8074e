"""The page "Test prompt": the configured model answers, outside of any conversation."""

import html
import json
from collections.abc import Callable

import httpx2
import pytest
from django.test import Client

from assistant.models import Assistant, Dialect, Turn
from assistant.tests.fake_model import FakeModel, choice, refused, said
from assistant.turns import policy
from conversations.models import ConversationMessage
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

Models = Callable[..., FakeModel]


@pytest.fixture
def url(businesses: TwoBusinesses) -> str:
    row = Assistant.objects.create(tenant=businesses.ours, instructions="Sell bread.", model="gpt-bread")
    return f"/admin/assistant/assistant/{row.pk}/test-prompt/"


def ask(client: Client, url: str, question: str = "Have you rolls?") -> str:
    return client.post(url, {"question": question}).content.decode()


def test_shows_the_answer_and_its_tokens(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    model = fake_model(said("<your name>, two kinds."))
    page = ask(businesses.browser("owner"), url)
    assert "&lt;your name&gt;, two kinds." in page
    assert "120 + 7 tokens" in page
    asked = json.loads(model.requests[0].content)
    assert asked["model"] == "gpt-bread"
    assert [message["content"] for message in asked["messages"]] == ["Sell bread.", "Have you rolls?"]
    assert not ConversationMessage.objects.exists()
    assert not Turn.objects.exists()


def test_says_why_there_is_no_answer(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    fake_model(refused(401, message="Incorrect API key"))
    assert "No answer. " in ask(businesses.browser("owner"), url)


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("operator", 403), ("stranger", 404), ("nobody", 404)])
def test_only_owners_may_ask(businesses: TwoBusinesses, url: str, fake_model: Models, who: str, status: int) -> None:
    model = fake_model(said())
    client = businesses.browser(who)
    assert client.get(url).status_code == status
    assert client.post(url, {"question": "Hi"}).status_code == status
    assert not model.requests


def examine(client: Client, url: str) -> str:
    return html.unescape(client.post(url, {"test_endpoint": "1"}).content.decode())


def test_says_in_words_what_the_endpoint_accepts(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "opening_hours", "arguments": "{}"}}
    calls = choice(None, "tool_calls", tool_calls=[call])
    refusal = refused(400, message="Unrecognized request argument supplied: max_completion_tokens")
    fake_model(refusal, said("yes"), said("Red."), said(choices=calls))
    page = examine(businesses.browser("owner"), url)
    assert "as gpt-test-2026, and reports its tokens." in page
    assert "It recognized an image." in page
    assert "It called a tool." in page
    assert "The output limit is sent as max_tokens." in page
    row = Assistant.objects.get()
    assert Dialect.of(row.tenant_id, row.endpoint, row.model_name).output_limit == "max_tokens"
    assert policy.tokens_today(row.tenant_id) == 3 * 127
    assert not Turn.objects.exists()


def test_finds_out_again_what_had_been_learned(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    row = Assistant.objects.get()
    Dialect.of(row.tenant_id, row.endpoint, row.model_name).save_features(temperature=False, most_output_tokens=5)
    fake_model(said("yes"))
    page = examine(businesses.browser("owner"), url)
    assert "It accepted an image, but didn't recognize it." in page
    dialect = Dialect.of(row.tenant_id, row.endpoint, row.model_name)
    assert (dialect.temperature, dialect.most_output_tokens) == (True, None)


def test_says_why_the_endpoint_does_not_answer(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    fake_model(httpx2.Response(404, html="<h1>404 page not found</h1>"))
    page = examine(businesses.browser("owner"), url)
    assert "It didn't answer. HTTP 404: 404 page not found." in page
    assert "check OPENAI_BASE_URL" in page
    assert not Dialect.objects.exists()


def test_says_what_the_endpoint_refused(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    fake_model(said("yes"), refused(400, message="Invalid image"), refused(500, message="tools broke"))
    page = examine(businesses.browser("owner"), url)
    assert "HTTP 400: Invalid image" in page
    assert "HTTP 500: tools broke" in page


def test_respects_the_daily_token_limit(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    model = fake_model(said())
    Assistant.objects.update(daily_token_limit=0)
    assert "The daily token limit has been reached." in ask(businesses.browser("owner"), url)
    assert not model.requests


def test_unsaved_instructions_are_tested_without_being_saved(
    businesses: TwoBusinesses, url: str, fake_model: Models
) -> None:
    model = fake_model(said("Cakes."))
    owner = businesses.browser("owner")
    opened = owner.post(url, {"instructions": "Sell <cakes>.", "temperature": "1"})  # the assistant's own form
    assert "Sell &lt;cakes&gt;." in opened.content.decode()
    assert "not saved yet" in opened.content.decode()
    assert not model.requests
    owner.post(url, {"instructions": "Sell <cakes>.", "question": "What do you sell?"})
    assert json.loads(model.requests[0].content)["messages"][0]["content"] == "Sell <cakes>."
    assert Assistant.objects.get().instructions == "Sell bread."
    page = owner.post(url, {"instructions": "Sell <cakes>.", "question": "", "save": "1"}).content.decode()
    assert "not saved yet" not in page
    assert Assistant.objects.get().instructions == "Sell <cakes>."


@pytest.mark.parametrize("text", ["", "x" * 20_001])
def test_invalid_instructions_are_neither_tested_nor_saved(
    businesses: TwoBusinesses, url: str, fake_model: Models, text: str
) -> None:
    model = fake_model(said())
    for data in ({"question": "Hi"}, {"save": "1"}):
        assert 'role="alert"' in businesses.browser("owner").post(url, {"instructions": text, **data}).content.decode()
    assert not model.requests
    assert Assistant.objects.get().instructions == "Sell bread."


def test_the_assistants_page_sends_its_unsaved_form_and_hides_what_is_technical(
    businesses: TwoBusinesses, url: str
) -> None:
    page = businesses.browser("owner").get(url.replace("test-prompt", "change"))
    text = page.content.decode()
    assert f'form="assistant_form" formaction="{url}"' in text
    assert 'id="assistant_form"' in text
    assert "Harbour Bakery" in text
    assert 'data-limit="20000"' in text
    sections = {fieldset.name: fieldset for fieldset in page.context["adminform"]}
    assert sections["Advanced"].is_collapsible
    assert page.context["adminform"].fieldsets[0][1]["fields"] == ["tenant", "instructions", "fallback_text"]
