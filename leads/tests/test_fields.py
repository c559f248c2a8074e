"""Custom fields: the assistant notes values, people correct them."""

import pytest

from conversations.tests.rows import conversation
from leads.models import Lead, LeadField
from leads.noting import Note, note
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


def lead(tenant: Tenant, **columns: object) -> Lead:
    return Lead.objects.create(tenant=tenant, conversation=conversation(tenant, "4915112345"), **columns)


def noted(of: Lead, message_id: int, **values: str | float | bool) -> Lead:
    note([Note(of.conversation_id, message_id, values)])
    of.refresh_from_db()
    return of


def test_a_noted_value_keeps_the_message_it_came_from(businesses: TwoBusinesses) -> None:
    carla = noted(lead(businesses.ours, fields={"budget": 20}), 7, day="2026-12-24", guests=12, vegan=True)
    assert carla.fields == {"budget": 20, "day": "2026-12-24", "guests": 12, "vegan": True}
    assert carla.field_sources == {"day": 7, "guests": 7, "vegan": 7}


def test_a_newer_value_replaces_a_noted_one(businesses: TwoBusinesses) -> None:
    carla = noted(noted(lead(businesses.ours), 7, guests=12), 9, guests=14)
    assert (carla.fields, carla.field_sources) == ({"guests": 14}, {"guests": 9})


def test_what_a_person_entered_stays(businesses: TwoBusinesses) -> None:
    LeadField.objects.create(tenant=businesses.ours, name="guests", type="number")
    carla = noted(lead(businesses.ours), 7, guests=12, day="Monday")
    form = {"stage": "new", "field-guests": "15", "field-day": "Monday"}
    answer = businesses.browser("operator").post(f"/admin/leads/lead/{carla.pk}/change/", form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    carla = noted(carla, 9, guests=12, day="Tuesday")
    assert carla.fields == {"guests": "15", "day": "Tuesday"}
    assert carla.field_sources == {"guests": None, "day": 9}


def test_a_value_that_a_person_removed_can_be_noted_again(businesses: TwoBusinesses) -> None:
    carla = lead(businesses.ours, fields={"guests": "15"}, field_sources={"guests": None})
    businesses.browser("operator").post(f"/admin/leads/lead/{carla.pk}/change/", {"stage": "new", "field-guests": ""})
    assert noted(carla, 9, guests=12).fields == {"guests": 12}


def test_the_desk_shows_the_values_and_their_messages(businesses: TwoBusinesses) -> None:
    carla = noted(lead(businesses.ours, fields={"tags": ["a"], "regular": True}), 7, guests=12)
    page = businesses.browser("viewer").get(f"/admin/conversations/conversation/{carla.conversation_id}/change/")
    text = page.content.decode()
    assert "Guests" in text
    assert 'href="#message-7"' in text
    assert "Regular" in text
    assert "Tags" not in text


def test_owners_define_the_fields_of_their_business_only(businesses: TwoBusinesses) -> None:
    def add(who: str, tenant: Tenant) -> int:
        form = {"tenant": tenant.pk, "name": "guests", "type": "number", "description": "How many"}
        return businesses.browser(who).post("/admin/leads/leadfield/add/", form).status_code

    assert add("operator", businesses.ours) == 403
    assert add("stranger", businesses.ours) in (200, 403)  # 200: the form again, with an error
    assert not LeadField.objects.exists()
    assert add("owner", businesses.ours) == 302
    assert LeadField.objects.get().label == "Guests"
