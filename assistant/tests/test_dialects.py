"""What endpoints accept: learned from a refusal, remembered, and followed from then on.

`dialects.json` has one strict endpoint for each service, with the refusals that it documents.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings

from assistant.examination import TOOL
from assistant.model.learning import Endpoint
from assistant.model.retries import complete
from assistant.models import Assistant, Dialect
from tenants.models import Tenant
from tests.fake_network import FakeNetwork

from .fake_model import FakeModel, refused, said

pytestmark = pytest.mark.django_db(transaction=True)

Json = dict[str, Any]
TABLE: list[Json] = json.loads(Path(__file__).with_name("dialects.json").read_text())
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}}
# Begins and ends with our message, and has neighbours of one role and an image.
HISTORY: list[dict[str, object]] = [
    {"role": "assistant", "content": "Your order is ready."},
    {"role": "user", "content": "Great"},
    {"role": "user", "content": [{"type": "text", "text": "Is it this one?"}, IMAGE]},
    {"role": "assistant", "content": "Yes."},
]
Fake = Callable[..., FakeModel]


def roles(body: Json) -> list[str]:
    return [message["role"] for message in body["messages"] if message["role"] not in ("system", "developer")]


def parts(body: Json) -> list[Json]:
    return [part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]]


CONDITIONS: dict[str, Callable[[Json], bool]] = {
    "max_completion_tokens": lambda body: "max_completion_tokens" in body,
    "max_tokens": lambda body: "max_tokens" in body,
    "temperature": lambda body: "temperature" in body,
    "tools": lambda body: "tools" in body,
    "images": lambda body: any(part["type"] == "image_url" for part in parts(body)),
    "system": lambda body: any(message["role"] == "system" for message in body["messages"]),
    "system or developer": lambda body: body["messages"][0]["role"] in ("system", "developer"),
    "first not user": lambda body: roles(body)[0] != "user",
    "last not user": lambda body: roles(body)[-1] != "user",
    "not alternating": lambda body: any(a == b for a, b in zip(roles(body), roles(body)[1:], strict=False)),
    "more than 2048": lambda body: int(body.get("max_tokens") or body.get("max_completion_tokens") or 0) > 2048,
}


def strict(row: Json, asked: list[Json]) -> Callable[[httpx2.Request], httpx2.Response]:
    """The endpoint of this row of the table."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        for refusal in row["refuses"]:
            if CONDITIONS[refusal["when"]](asked[-1]):
                return httpx2.Response(refusal["status"], json=refusal["body"])
        return said("Fine.")

    return answer


@pytest.fixture
def assistant(model_settings: object) -> Assistant:
    tenant = Tenant.objects.create(name="Bakery")
    return Assistant.objects.create(tenant=tenant, temperature=0.3, max_output_tokens=4000)


def features(assistant: Assistant) -> Json:
    dialect = Dialect.of(assistant.tenant_id, assistant.endpoint, assistant.model_name)
    return {name: getattr(dialect, name) for name in Dialect.FEATURES if getattr(dialect, name) != default(name)}


def default(name: str) -> object:
    return getattr(Dialect(), name)


def ask(assistant: Assistant) -> str:
    endpoint = Endpoint(Dialect.of(assistant.tenant_id, assistant.endpoint, assistant.model_name))
    return async_to_sync(endpoint.ask)(HISTORY, assistant, [TOOL]).text


@pytest.mark.parametrize("row", TABLE, ids=[f"{row['service']}, {row['model']}" for row in TABLE])
def test_it_learns_what_each_service_accepts_and_remembers_it(
    assistant: Assistant, network: FakeNetwork, row: Json
) -> None:
    asked: list[Json] = []
    network.model = strict(row, asked)
    assistant.model = row["model"]
    assert ask(assistant) == "Fine."
    assert features(assistant) == row.get("learned", {})
    refused_ones = len(asked) - 1
    assert refused_ones <= len(row["refuses"]) + 2
    asked.clear()
    assert ask(assistant) == "Fine."
    assert len(asked) == 1
    # Nothing that was said is dropped.
    assert all(text in json.dumps(asked) for text in ("Your order is ready.", "Great", "Is it this one?", "Yes."))


def test_another_model_and_another_business_learn_for_themselves(assistant: Assistant, network: FakeNetwork) -> None:
    asked: list[Json] = []
    network.model = strict(TABLE[4], asked)
    ask(assistant)
    other = Assistant.objects.create(tenant=Tenant.objects.create(name="Florist", slug="florist"))
    assert features(assistant) != {}
    assert features(other) == {}
    assistant.model = "another"
    assert features(assistant) == {}


def test_a_lesson_that_does_not_help_is_forgotten(assistant: Assistant, fake_model: Fake) -> None:
    model = fake_model(refused(400, message="Unrecognized request argument: max_completion_tokens"))
    outcome = async_to_sync(complete)(HISTORY, assistant)
    assert outcome.failure is not None
    assert (outcome.failure.kind, len(model.requests)) == ("bad_request", 2)
    assert features(assistant) == {}


def test_a_refusal_of_the_key_or_the_account_teaches_nothing(assistant: Assistant, fake_model: Fake) -> None:
    model = fake_model(refused(401, message="This key has no role that may use max_completion_tokens or temperature."))
    async_to_sync(complete)(HISTORY, assistant)
    assert len(model.requests) == 1


def test_a_correction_is_followed_until_it_is_refused(assistant: Assistant, fake_model: Fake) -> None:
    Dialect.of(assistant.tenant_id, assistant.endpoint, assistant.model_name).save_features(output_limit="max_tokens")
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    model = fake_model(said(), refused(400, message=message), said())
    ask(assistant)
    assert model.body()["max_tokens"] == 4000
    ask(assistant)
    assert model.body()["max_completion_tokens"] == 4000
    assert features(assistant) == {}


def test_what_is_learned_does_not_use_up_the_attempts(assistant: Assistant, network: FakeNetwork) -> None:
    asked: list[Json] = []
    answer = strict(TABLE[1], asked)
    broken = [refused(500), refused(500)]
    network.model = lambda request: broken.pop() if broken else answer(request)
    assert async_to_sync(complete)(HISTORY, assistant).completion is not None


def test_neighbours_of_the_same_role_become_one_message(assistant: Assistant, fake_model: Fake) -> None:
    model = fake_model(said())
    ask(assistant)
    messages = model.body()["messages"]
    assert [message["role"] for message in messages] == ["system", "assistant", "user", "assistant"]
    assert messages[2]["content"] == [
        {"type": "text", "text": "Great"}, {"type": "text", "text": "Is it this one?"}, IMAGE
    ]  # fmt: skip


WORDS = {
    ("output_limit", "max_tokens"): "`max_tokens`",
    ("most_output_tokens", 2048): "largest output",
    ("instructions", "user"): "in the first user message",
    ("instructions", "developer"): "as a developer message",
    ("user_first", True): "customer first",
    ("temperature", False): "no temperature",
    ("images", False): "no images",
    ("tools", False): "no tools",
}


def test_the_documentation_says_what_is_learned_of_each_service() -> None:
    text = (settings.BASE_DIR / "docs" / "models.md").read_text()
    rows = dict(re.findall(r"^\| ([\w. ]+) \| `http[^|]*\| ([^|]*) \|$", text, re.MULTILINE))
    learned: dict[str, set[str]] = {row["service"]: set() for row in TABLE}
    for row in TABLE:
        learned[row["service"]] |= {WORDS[feature] for feature in row.get("learned", {}).items()}
    documented = {name: {words for words in WORDS.values() if words in said.lower()} for name, said in rows.items()}
    assert documented == learned
