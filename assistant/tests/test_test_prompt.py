"""The page "Test prompt": the configured model answers, outside of any conversation."""

import json
from collections.abc import Callable

import pytest
from django.test import Client

from assistant.models import Assistant, Turn
from assistant.tests.fake_model import FakeModel, refused, said
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


@pytest.mark.parametrize(
    ("answer", "verdict"), [("Red.", "The model recognized the image."), ("I see none.", "recognize the image. Leave")]
)
def test_finds_out_whether_the_model_sees_images(
    businesses: TwoBusinesses, url: str, fake_model: Models, answer: str, verdict: str
) -> None:
    model = fake_model(said(answer))
    assert verdict in businesses.browser("owner").post(url, {"test_image": "1"}).content.decode()
    text, image = json.loads(model.requests[0].content)["messages"][-1]["content"]
    assert text["type"] == "text"
    assert image["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_says_why_the_image_test_failed(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    fake_model(refused(400, message="image_url is not supported"))
    page = businesses.browser("owner").post(url, {"test_image": "1"}).content.decode()
    assert "image_url is not supported" in page
    assert "recognized the image" not in page


def test_respects_the_daily_token_limit(businesses: TwoBusinesses, url: str, fake_model: Models) -> None:
    model = fake_model(said())
    Assistant.objects.update(daily_token_limit=0)
    assert "The daily token limit has been reached." in ask(businesses.browser("owner"), url)
    assert not model.requests
