"""The admin of assistants and of their turns."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from assistant.models import Assistant, Dialect, Turn
from conversations.tests.rows import conversation, message, owner
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

TURNS = "/admin/assistant/turn/"


def turn(of: Tenant, number: str = "4915112345") -> Turn:
    asked = message(conversation(of, number, contact_name=f"Customer {number}"), "Hi")
    now = timezone.now()
    return Turn.objects.create(
        tenant=owner(asked.conversation),
        conversation=asked.conversation,
        first_message=asked,
        last_message=asked,
        due_at=now,
        latest_due_at=now,
        state="failed",
        error="the model was away",
    )


def test_hides_the_models_key(businesses: TwoBusinesses) -> None:
    row = Assistant.objects.create(tenant=businesses.ours, api_key="sk-our-key")
    for who in ("viewer", "operator", "owner", "superuser"):
        client = businesses.browser(who)
        page = client.get(reverse("admin:assistant_assistant_change", args=[row.pk]))
        assert page.status_code == 200
        assert "sk-our-key" not in page.content.decode()


@pytest.mark.parametrize("who", ["viewer", "operator", "stranger"])
def test_only_owners_can_instruct_the_assistant(businesses: TwoBusinesses, who: str) -> None:
    row = Assistant.objects.create(tenant=businesses.ours, instructions="Be kind.")
    address = reverse("admin:assistant_assistant_change", args=[row.pk])
    businesses.browser(who).post(address, {"instructions": "Be rude.", "tenant": row.tenant_id})
    row.refresh_from_db()
    assert row.instructions == "Be kind."


def test_an_owner_cannot_create_an_assistant_for_the_installation(businesses: TwoBusinesses) -> None:
    data = {"tenant": "", "instructions": "x", "max_output_tokens": "800", "history_limit": "20"}
    answer = businesses.browser("owner").post("/admin/assistant/assistant/add/", data)
    assert answer.status_code == 200
    assert not Assistant.objects.exists()


def test_only_superusers_choose_the_base_url(businesses: TwoBusinesses) -> None:
    row = Assistant.objects.create(tenant=businesses.ours)
    address = reverse("admin:assistant_assistant_change", args=[row.pk])
    for who, offered in (("owner", False), ("superuser", True)):
        page = businesses.browser(who).get(address).content.decode()
        assert ('name="base_url"' in page) is offered


def test_nobody_can_change_turns(businesses: TwoBusinesses) -> None:
    row = turn(businesses.ours)
    for who in ("owner", "superuser"):
        client = businesses.browser(who)
        assert "the model was away" in client.get(f"{TURNS}{row.pk}/change/").content.decode()
        assert client.post(f"{TURNS}{row.pk}/change/", {"error": ""}).status_code == 403
        assert client.post(f"{TURNS}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_shows_a_stranger_no_turns(businesses: TwoBusinesses) -> None:
    row = turn(businesses.ours)
    client = businesses.browser("stranger")
    for page in (TURNS, f"{TURNS}{row.pk}/change/"):
        assert "Customer" not in client.get(page, follow=True).content.decode()


def test_lists_with_a_constant_number_of_queries(businesses: TwoBusinesses, django_assert_num_queries: Any) -> None:
    client = businesses.browser("viewer")
    client.get(TURNS)  # the first request of a session notes it
    for number in range(12):
        turn(businesses.ours, f"49{number}")
        if number in (0, 11):
            with django_assert_num_queries(9):
                client.get(TURNS)


def test_an_owner_corrects_what_was_learned_about_the_endpoint(businesses: TwoBusinesses) -> None:
    row = Assistant.objects.create(tenant=businesses.ours)
    Dialect.of(row.tenant_id, row.endpoint, row.model_name).save_features(
        output_limit="max_tokens", reason="Unknown argument"
    )
    address = reverse("admin:assistant_assistant_change", args=[row.pk])
    client = businesses.browser("owner")
    page = client.get(address).content.decode()
    assert "Unknown argument" in page
    assert 'value="max_tokens" selected' in page
    form = client.get(address).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    data = {name: "" if value is None else value for name, value in values.items()} | {"tenant": row.tenant_id}
    data |= {"endpoint_instructions": "user", "endpoint_most_output_tokens": "2048", "endpoint_tools": "False"}
    assert client.post(address, data).status_code == 302
    dialect = Dialect.objects.get()
    assert (dialect.tenant, dialect.output_limit, dialect.instructions) == (businesses.ours, "max_tokens", "user")
    assert (dialect.most_output_tokens, dialect.tools, dialect.temperature) == (2048, False, True)
    # A new model starts without what was learned about the former one.
    assert client.post(address, data | {"model": "another", "endpoint_images": "False"}).status_code == 302
    dialect = Dialect.objects.get(model="another")
    assert (dialect.images, dialect.output_limit, dialect.instructions) == (False, "max_completion_tokens", "system")


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_only_owners_correct_what_was_learned(businesses: TwoBusinesses, who: str) -> None:
    row = Assistant.objects.create(tenant=businesses.ours)
    address = reverse("admin:assistant_assistant_change", args=[row.pk])
    assert "endpoint_tools" not in businesses.browser(who).get(address).content.decode()
    businesses.browser(who).post(address, {"endpoint_tools": "False", "tenant": row.tenant_id})
    assert not Dialect.objects.exists()


@pytest.mark.parametrize(
    ("state", "outcome", "words"),
    [
        ("replied", "replied", "Replied"),
        ("failed", "fallback", "Failed; the customer got the fallback text"),
        ("suppressed", "out of budget", "The daily token limit is used up"),
        ("collecting", "", "Waiting for the customer to finish"),
    ],
)
def test_turns_say_in_words_and_round_numbers_how_they_went(
    businesses: TwoBusinesses, state: str, outcome: str, words: str
) -> None:
    row = turn(businesses.ours)
    Turn.objects.update(state=state, outcome=outcome, seconds=2.46666667, cost=0, prompt_tokens=1234)
    client = businesses.browser("owner")
    for address in (TURNS, f"{TURNS}{row.pk}/change/"):
        page = client.get(address).content.decode()
        assert words in page
        assert "2.5 s" in page
        assert "2.4666" not in page
        assert "1,234 in, 0 out" in page
