"""The admin's start page shows the numbers of the user's own businesses."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from assistant.models import Turn
from conversations.models import Conversation
from conversations.tests.rows import conversation, message, owner
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


def talk(of: Tenant, seconds: float, tokens: int) -> Conversation:
    """A question, and its reply this many seconds later."""
    begun = conversation(of, str(seconds), contact_name=f"Customer of {of}", needs_person="Asked for one")
    asked, reply = message(begun, "Hi"), message(begun, "Hello", "assistant", status="failed")
    opened = timezone.now() - dt.timedelta(seconds=seconds)
    Turn.objects.create(
        tenant=owner(begun),
        conversation=begun,
        state="replied",
        first_message=asked,
        last_message=asked,
        first_reply=reply,
        opened_at=opened,
        due_at=opened,
        latest_due_at=opened,
        finished_at=opened + dt.timedelta(seconds=seconds),
        prompt_tokens=tokens,
        cost=Decimal("0.5"),
    )
    return begun


def numbers_for(businesses: TwoBusinesses, who: str) -> dict[str, Any]:
    found: dict[str, Any] = businesses.browser(who).get("/admin/").context["dashboard"]
    return found


def test_it_counts_only_the_users_own_business(businesses: TwoBusinesses) -> None:
    for seconds in (1.0, 2.0, 9.0):
        talk(businesses.ours, seconds, 100)
    talk(businesses.theirs, 500.0, 7)
    numbers = numbers_for(businesses, "viewer")
    assert numbers["replies"]["count"] == 3
    assert numbers["replies"]["median"] == pytest.approx(2.0)
    assert 8 < numbers["replies"]["p95"] <= 9
    assert (numbers["days"][-1].received, numbers["days"][-1].sent) == (3, 3)
    assert (numbers["not_sent"], numbers["waiting_count"]) == (3, 3)
    row = {"name": "Business ours", "replies": 3, "tokens": 300, "cost": Decimal("1.5")}
    assert numbers["by_tenant"] == [row]


def test_superusers_see_all_businesses(businesses: TwoBusinesses) -> None:
    talk(businesses.ours, 1.0, 100)
    talk(businesses.theirs, 2.0, 7)
    numbers = numbers_for(businesses, "superuser")
    assert [row["name"] for row in numbers["by_tenant"]] == ["Business ours", "Business theirs"]
    assert numbers["replies"]["count"] == 2


@pytest.mark.parametrize("who", ["nobody", "owner"])
def test_the_page_of_a_new_business_is_empty(businesses: TwoBusinesses, who: str) -> None:
    talk(businesses.theirs, 1.0, 7)
    page = businesses.browser(who).get("/admin/").content.decode()
    assert "No one is waiting." in page
    assert "No replies yet." in page
    assert "Customer of" not in page


def test_the_number_of_queries_is_constant(businesses: TwoBusinesses, django_assert_num_queries: Any) -> None:
    client = businesses.browser("owner")
    client.get("/admin/")  # the first request of a session notes it
    for seconds in range(5):
        talk(businesses.ours, seconds, 1)
        if seconds in (0, 4):
            with django_assert_num_queries(15):
                client.get("/admin/")
