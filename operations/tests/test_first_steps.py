"""Where people land, and the checklist of a business that isn't set up yet."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from assistant.models import Assistant, DailyUsage
from notifications.models import NotificationPreferences
from tenants.models import Invitation, Membership, Tenant
from tenants.tests.people import TwoBusinesses, browser_of, person
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db
OVERVIEW, INBOX = "/admin/", "/admin/conversations/conversation/"


@pytest.fixture
def newcomer(businesses: TwoBusinesses) -> User:
    """The owner of a business that has nothing yet."""
    Tenant.objects.create(name="New", slug="new")
    return person("newcomer", new=Membership.Role.OWNER)


def open_steps(user: User) -> list[str]:
    found = browser_of(user).get(OVERVIEW).context["dashboard"]["checklists"]
    return [step.title for each in found for step in each.steps if not step.is_done]


def test_each_step_ticks_itself_off(newcomer: User, settings: Any) -> None:
    tenant = Tenant.objects.get(slug="new")
    left = open_steps(newcomer)
    assert len(left) == 6
    account = WhatsAppAccount.objects.create(tenant=tenant, phone_number_id="100000000000001", is_active=False)
    assert open_steps(newcomer) == left[1:]
    WhatsAppAccount.objects.filter(pk=account.pk).update(is_active=True)
    assert open_steps(newcomer) == left[2:]
    assistant = Assistant.objects.create(tenant=tenant)
    assert open_steps(newcomer) == left[2:]  # these are only the default instructions
    Assistant.objects.filter(pk=assistant.pk).update(instructions="You sell bread.")
    assert open_steps(newcomer) == left[3:]
    DailyUsage.objects.create(tenant=tenant, day="2026-01-01", tokens=1)
    assert open_steps(newcomer) == left[4:]
    person("colleague", new=Membership.Role.OPERATOR)
    assert open_steps(newcomer) == left[5:]
    NotificationPreferences.objects.create(user=newcomer)
    assert open_steps(newcomer) == []


def test_every_open_step_leads_to_a_page_that_opens(newcomer: User) -> None:
    client = browser_of(newcomer)

    def check() -> None:
        for each in client.get(OVERVIEW).context["dashboard"]["checklists"]:
            for step in each.steps:
                assert client.get(step.url).status_code == 200, step

    check()
    tenant = Tenant.objects.get(slug="new")
    WhatsAppAccount.objects.create(tenant=tenant, phone_number_id="100000000000001", is_active=False)
    Assistant.objects.create(tenant=tenant)
    check()


def test_an_owner_dismisses_it_for_all_owners(newcomer: User) -> None:
    tenant = Tenant.objects.get(slug="new")
    partner = person("partner", new=Membership.Role.OWNER)
    assert browser_of(newcomer).post(f"/admin/checklist/{tenant.pk}/dismiss/").status_code == 302
    assert open_steps(partner) == []


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("nobody", 404), ("operator", 403), ("viewer", 403)])
def test_no_one_else_dismisses_it(businesses: TwoBusinesses, who: str, status: int) -> None:
    assert businesses.browser(who).post(f"/admin/checklist/{businesses.ours.pk}/dismiss/").status_code == status
    assert Tenant.objects.get(pk=businesses.ours.pk).checklist_dismissed_at is None
    assert open_steps(businesses.people[who]) == [] or who == "stranger"  # who owns a business, too


def lands(who: User) -> str:
    response = browser_of(who).get("/")
    assert response.status_code == 302
    return response["Location"]


def test_people_land_where_their_work_is(businesses: TwoBusinesses) -> None:
    for role in ("operator", "viewer"):
        assert lands(businesses.people[role]) == INBOX
    for who in ("owner", "superuser", "nobody"):
        assert lands(businesses.people[who]) == OVERVIEW
    Tenant.objects.update(checklist_dismissed_at="2026-01-01T00:00Z")
    assert lands(businesses.people["owner"]) == INBOX


def test_someone_with_an_invitation_finds_it(businesses: TwoBusinesses) -> None:
    operator = businesses.people["operator"]
    Invitation.objects.create(
        tenant=businesses.theirs,
        email=operator.email,
        role="operator",
        invited_by=businesses.people["stranger"],
        expires_at="2100-01-01T00:00Z",
    )
    assert lands(operator) == OVERVIEW


@pytest.mark.parametrize("path", ["/admin/", "/admin/leads/lead/", "/"])
def test_signing_in_leads_there_too_unless_a_page_was_asked_for(businesses: TwoBusinesses, path: str) -> None:
    operator = businesses.people["operator"]
    operator.set_password("a long and quiet road")
    operator.save()
    client = browser_of(operator)
    client.logout()
    form = client.get(path, follow=True)
    data = {"username": operator.username, "password": "a long and quiet road", "next": form.context["next"]}
    response = client.post("/admin/login/", data, follow=True)
    assert response.redirect_chain[-1][0] == (path if path == "/admin/leads/lead/" else INBOX)


def menu(who: User) -> list[str]:
    groups = browser_of(who).get(OVERVIEW).context["sidebar_navigation"]
    return [item["title"] for group in groups for item in group["items"]]


def test_the_menu_shows_what_someone_can_use(businesses: TwoBusinesses) -> None:
    everyones = ["Overview", "My notifications", "Conversations", "Leads"]
    assert menu(businesses.people["viewer"]) == everyones
    assert menu(businesses.people["operator"]) == [*everyones, "Knowledge", "Unanswered questions"]
    assert {"Assistant", "Members", "API keys", "Turns", "API documentation"} < set(menu(businesses.people["owner"]))
