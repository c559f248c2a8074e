"""The admin of leads: operators change their stage, and strangers can't see them."""

from typing import Any

import pytest

from conversations.tests.rows import conversation
from leads.models import Lead
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

LIST = "/admin/leads/lead/"


def lead(tenant: Tenant, name: str = "Carla", number: str = "4915112345") -> Lead:
    return Lead.objects.create(tenant=tenant, conversation=conversation(tenant, number), name=name, phone=number)


def change_stage(businesses: TwoBusinesses, who: str, of: Lead, stage: str) -> int:
    data = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": of.pk,
        "form-0-stage": stage,
        "_save": "Save",
    }
    return businesses.browser(who).post(LIST, data).status_code


@pytest.mark.parametrize("who", ["operator", "owner", "superuser"])
def test_changes_a_leads_stage_in_the_list(businesses: TwoBusinesses, who: str) -> None:
    carla = lead(businesses.ours)
    assert change_stage(businesses, who, carla, "won") == 302
    carla.refresh_from_db()
    assert carla.stage == "won"


@pytest.mark.parametrize("who", ["viewer", "stranger", "nobody"])
def test_others_cannot_change_it(businesses: TwoBusinesses, who: str) -> None:
    carla = lead(businesses.ours)
    change_stage(businesses, who, carla, "won")
    carla.refresh_from_db()
    assert carla.stage == "new"


def test_shows_a_stranger_no_leads(businesses: TwoBusinesses) -> None:
    carla = lead(businesses.ours)
    client = businesses.browser("stranger")
    for page in (LIST, f"{LIST}{carla.pk}/change/", f"{LIST}?q=Carla"):
        assert "Carla" not in client.get(page, follow=True).content.decode().replace("q=Carla", "").replace(
            'value="Carla"', ""
        )


def test_lists_with_a_constant_number_of_queries(businesses: TwoBusinesses, django_assert_num_queries: Any) -> None:
    client = businesses.browser("viewer")
    client.get(LIST)  # the first request of a session notes it
    for number in range(12):
        lead(businesses.ours, f"No. {number}", f"49{number}")
        if number in (0, 11):
            with django_assert_num_queries(9):
                client.get(LIST)
