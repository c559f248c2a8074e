"""The admin of assistants and of their turns."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from assistant.models import Assistant, Turn
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
    for number in range(12):
        turn(businesses.ours, f"49{number}")
        if number in (0, 11):
            with django_assert_num_queries(8):
                client.get(TURNS)
