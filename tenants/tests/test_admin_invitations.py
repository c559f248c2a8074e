"""Inviting a member by email creates a user. The link sets their first password, and never opens anyone else's
account."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tenants.models import Membership
from tenants.tests.people import Role, TwoBusinesses, browser_of, person

pytestmark = pytest.mark.django_db

ADD = "/admin/tenants/membership/add/"
LIST = "/admin/tenants/membership/"
PASSWORD = "a long and quiet road"


def invite(client: Client, businesses: TwoBusinesses, email: str, role: str = "operator") -> str:
    data = {"tenant": businesses.ours.pk, "email": email, "role": role}
    return client.post(ADD, data, follow=True).content.decode()


def link_in(page: str) -> str:
    found = re.search(r"http://localhost:\d+(/set-password/[^\s<\"]+)", page)
    return found[1] if found else ""


def set_password(address: str) -> Client:
    client = Client()
    form = client.get(address, follow=True)
    client.post(form.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    return client


def test_creates_a_user_who_sets_a_password_and_signs_in(businesses: TwoBusinesses) -> None:
    address = link_in(invite(businesses.browser("owner"), businesses, "New.Person@example.test"))
    membership = Membership.objects.get(user__email="new.person@example.test")
    assert (membership.tenant, membership.role) == (businesses.ours, "operator")
    set_password(address)
    client = Client()
    assert client.login(username="new.person@example.test", password=PASSWORD)
    assert "Business ours" in client.get("/admin/tenants/tenant/").content.decode()


def test_a_link_works_once(businesses: TwoBusinesses) -> None:
    address = link_in(invite(businesses.browser("owner"), businesses, "new@example.test"))
    set_password(address)
    again = Client().get(address, follow=True).content.decode()
    assert "This link has expired or has already been used" in again


def test_creates_no_link_for_someone_with_a_password(businesses: TwoBusinesses) -> None:
    known = User.objects.create_user("known", "known@example.test", PASSWORD)
    page = invite(businesses.browser("owner"), businesses, "KNOWN@example.test")
    assert link_in(page) == ""
    assert Membership.objects.filter(user=known, tenant=businesses.ours).exists()


def test_creates_no_link_for_someone_invited_by_another_business_too(businesses: TwoBusinesses) -> None:
    """A link would let this owner into the other business."""
    invited = User.objects.create_user("invited@example.test", "invited@example.test")
    Membership.objects.create(user=invited, tenant=businesses.theirs, role=Role.OWNER)
    client = businesses.browser("owner")
    assert link_in(invite(client, businesses, "invited@example.test")) == ""
    membership = Membership.objects.get(user=invited, tenant=businesses.ours)
    again = client.post(LIST, {"action": "make_link", "_selected_action": [membership.pk]}, follow=True)
    assert link_in(again.content.decode()) == ""


def test_creates_a_new_link_if_the_first_was_lost(businesses: TwoBusinesses) -> None:
    client = businesses.browser("owner")
    invite(client, businesses, "new@example.test")
    membership = Membership.objects.get(user__email="new@example.test")
    again = client.post(LIST, {"action": "make_link", "_selected_action": [membership.pk]}, follow=True)
    assert link_in(again.content.decode())


@pytest.mark.parametrize("who", ["viewer", "operator", "stranger", "nobody"])
def test_only_owners_can_invite(businesses: TwoBusinesses, who: str) -> None:
    invite(businesses.browser(who), businesses, "new@example.test")
    assert not User.objects.filter(email="new@example.test").exists()


def test_refuses_a_second_membership_and_an_empty_form(businesses: TwoBusinesses) -> None:
    owner = browser_of(businesses.people["owner"])
    assert "is already a member" in invite(owner, businesses, "our-viewer@example.test")
    assert "but not both" in invite(owner, businesses, "")
    assert Membership.objects.filter(tenant=businesses.ours).count() == 3


def test_a_member_of_two_businesses_keeps_the_other(businesses: TwoBusinesses) -> None:
    both = person("both", theirs=Role.VIEWER)
    invite(businesses.browser("owner"), businesses, both.email, "owner")
    assert set(Membership.objects.filter(user=both).values_list("tenant__slug", "role")) == {
        ("theirs", "viewer"),
        ("ours", "owner"),
    }
