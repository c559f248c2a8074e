"""Invitations: for one address and one business, accepted by the invitee, and never a way into someone's account."""

import html
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from runtime.clock import ago
from tenants.invitations.forms import A_DAY
from tenants.models import Invitation, Membership
from tenants.tests.people import Role, TwoBusinesses, browser_of, person

pytestmark = pytest.mark.django_db

ADD = "/admin/tenants/membership/add/"
LIST = "/admin/tenants/invitation/"
PASSWORD = "a long and quiet road"
ADDRESS = "new.person@example.test"


def invite(client: Client, businesses: TwoBusinesses, email: str, role: str = "operator", to: str = "ours") -> str:
    data = {"tenant": getattr(businesses, to).pk, "email": email, "role": role}
    return html.unescape(client.post(ADD, data, follow=True).content.decode())


def link_in(page: str) -> str:
    found = re.search(r"http://localhost:\d+(/invitation/[^\s<\"]+)", page)
    return found[1] if found else ""


def open_link(address: str, client: Client | None = None) -> Client:
    """Choose a password behind a link."""
    client = client or Client()
    client.post(address, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    return client


def answer(client: Client, invitation: Invitation, what: str = "accept") -> int:
    return client.post(reverse("answer_invitation", args=[invitation.pk]), {"answer": what}).status_code


def sees(client: Client, business: str) -> bool:
    return f"Business {business}" in client.get("/admin/tenants/tenant/").content.decode()


def test_an_invitee_creates_an_account_behind_the_link_and_signs_in(businesses: TwoBusinesses) -> None:
    address = link_in(invite(businesses.browser("owner"), businesses, "New.Person@example.test"))
    assert not User.objects.filter(username=ADDRESS).exists()
    assert f"Your username is <strong>{ADDRESS}" in Client().get(address).content.decode()
    assert sees(open_link(address), "ours")
    membership = Membership.objects.get(user__username=ADDRESS)
    assert (membership.tenant, membership.role) == (businesses.ours, "operator")
    client = Client()
    assert client.login(username=ADDRESS, password=PASSWORD)
    assert sees(client, "ours")


def test_a_weak_password_is_refused(businesses: TwoBusinesses) -> None:
    address = link_in(invite(businesses.browser("owner"), businesses, ADDRESS))
    page = Client().post(address, {"new_password1": ADDRESS, "new_password2": ADDRESS}).content.decode()
    assert "too similar to the username" in page
    assert not User.objects.filter(username=ADDRESS).exists()


def test_a_link_works_once(businesses: TwoBusinesses) -> None:
    address = link_in(invite(businesses.browser("owner"), businesses, ADDRESS))
    open_link(address)
    before = User.objects.get(username=ADDRESS).password
    assert Client().get(address).status_code == 404
    open_link(address)
    assert User.objects.get(username=ADDRESS).password == before
    assert User.objects.filter(username__startswith=ADDRESS).count() == 1


def test_a_link_never_opens_an_account_that_another_business_invited_meanwhile(businesses: TwoBusinesses) -> None:
    ours = link_in(invite(businesses.browser("owner"), businesses, ADDRESS))
    theirs = link_in(invite(businesses.browser("stranger"), businesses, ADDRESS, to="theirs"))
    open_link(theirs)
    invitee = User.objects.get(username=ADDRESS)
    open_link(ours)
    assert User.objects.get(pk=invitee.pk).password == invitee.password
    assert set(Membership.objects.filter(user=invitee).values_list("tenant__slug", flat=True)) == {"theirs"}


def test_someone_with_an_account_accepts_after_signing_in_and_the_inviter_is_told(businesses: TwoBusinesses) -> None:
    known = User.objects.create_user("known", "Known@example.test", PASSWORD)
    page = invite(businesses.browser("owner"), businesses, "KNOWN@example.test")
    assert "known@example.test already has an account" in page
    assert link_in(page) == ""
    assert not Membership.objects.filter(user=known).exists()
    client = Client()
    assert client.login(username="known", password=PASSWORD)
    assert "Business ours invited you to its team as operator" in client.get("/admin/").content.decode()
    assert not sees(client, "ours")
    assert answer(client, Invitation.objects.get()) == 302
    assert sees(client, "ours")
    assert not Invitation.objects.exists()


def test_only_the_invitee_can_accept_or_decline(businesses: TwoBusinesses) -> None:
    invited = person("invited")
    invite(businesses.browser("owner"), businesses, invited.email)
    invitation = Invitation.objects.get()
    for who in ("viewer", "owner", "stranger", "nobody", "superuser"):
        assert answer(businesses.browser(who), invitation) == 404
        assert answer(businesses.browser(who), invitation, "decline") == 404
    assert answer(Client(), invitation) == 302  # to the login
    assert answer(browser_of(invited), invitation, "decline") == 302
    assert not Invitation.objects.exists()
    assert not Membership.objects.filter(user=invited).exists()


def test_an_address_that_only_looks_the_same_is_another(businesses: TwoBusinesses) -> None:
    """In upper case, "ı" is an "I"."""
    lookalike = User.objects.create_user("lookalike", "mıke@example.test", is_staff=True)
    page = invite(businesses.browser("owner"), businesses, "mike@example.test")
    assert link_in(page)
    assert answer(browser_of(lookalike), Invitation.objects.get()) == 404


def test_each_business_invites_the_same_address_on_its_own(businesses: TwoBusinesses) -> None:
    """Neither can block the other's invitee, or learn of the other's invitation."""
    for who, whose in (("owner", "ours"), ("stranger", "theirs")):
        page = invite(businesses.browser(who), businesses, ADDRESS, to=whose)
        assert link_in(page)
        assert "already" not in page
    assert Invitation.objects.count() == 2


def withdraw(businesses: TwoBusinesses, invitation: Invitation) -> None:
    businesses.browser("owner").post(f"{LIST}{invitation.pk}/delete/", {"post": "yes"})


def expire(businesses: TwoBusinesses, invitation: Invitation) -> None:
    Invitation.objects.update(expires_at=ago(1))


def renew(businesses: TwoBusinesses, invitation: Invitation) -> None:
    businesses.browser("owner").post(LIST, {"action": "renew", "_selected_action": [invitation.pk]})


def demote_the_inviter(businesses: TwoBusinesses, invitation: Invitation) -> None:
    Membership.objects.filter(user=businesses.people["owner"]).update(role=Role.OPERATOR)


def remove_the_inviter(businesses: TwoBusinesses, invitation: Invitation) -> None:
    Membership.objects.filter(user=businesses.people["owner"]).delete()


def deactivate_the_inviter(businesses: TwoBusinesses, invitation: Invitation) -> None:
    User.objects.filter(pk=businesses.people["owner"].pk).update(is_active=False)


def deactivate_the_business(businesses: TwoBusinesses, invitation: Invitation) -> None:
    type(businesses.ours).objects.filter(pk=businesses.ours.pk).update(is_active=False)


def delete_the_business(businesses: TwoBusinesses, invitation: Invitation) -> None:
    address = f"/admin/tenants/tenant/{businesses.ours.pk}/delete/"
    businesses.browser("superuser").post(address, {"post": "yes"})


@pytest.mark.parametrize(
    "end",
    [
        withdraw,
        expire,
        renew,
        demote_the_inviter,
        remove_the_inviter,
        deactivate_the_inviter,
        deactivate_the_business,
        delete_the_business,
    ],
)
def test_a_link_dies_with_its_invitation(businesses: TwoBusinesses, end: object) -> None:
    address = link_in(invite(businesses.browser("owner"), businesses, ADDRESS))
    assert Client().get(address).status_code == 200
    end(businesses, Invitation.objects.get())  # type: ignore[operator]
    assert Client().get(address).status_code == 404
    open_link(address)
    assert not User.objects.filter(username=ADDRESS).exists()


def test_an_owner_renews_a_link_that_was_lost(businesses: TwoBusinesses) -> None:
    client = businesses.browser("owner")
    first = link_in(invite(client, businesses, ADDRESS))
    data = {"action": "renew", "_selected_action": [Invitation.objects.get().pk]}
    second = link_in(client.post(LIST, data).content.decode())
    assert second not in ("", first)
    assert sees(open_link(second), "ours")


def test_only_owners_see_invitations_and_only_their_own(businesses: TwoBusinesses) -> None:
    invite(businesses.browser("owner"), businesses, ADDRESS)
    invitation = Invitation.objects.get()
    assert ADDRESS in businesses.browser("owner").get(LIST).content.decode()
    assert ADDRESS not in businesses.browser("stranger").get(LIST).content.decode()
    for who in ("viewer", "operator"):
        assert businesses.browser(who).get(LIST).status_code == 403
    for who in ("viewer", "operator", "stranger"):
        client = businesses.browser(who)
        client.post(LIST, {"action": "renew", "_selected_action": [invitation.pk]})
        client.post(LIST, {"action": "delete_selected", "_selected_action": [invitation.pk], "post": "yes"})
        client.post(f"{LIST}{invitation.pk}/delete/", {"post": "yes"})
    assert Invitation.objects.get().token_hash == invitation.token_hash


@pytest.mark.parametrize("who", ["viewer", "operator", "stranger", "nobody"])
def test_only_owners_can_invite(businesses: TwoBusinesses, who: str) -> None:
    invite(businesses.browser(who), businesses, ADDRESS)
    assert not Invitation.objects.exists()


def test_refuses_a_second_membership_and_an_empty_form(businesses: TwoBusinesses) -> None:
    owner = browser_of(businesses.people["owner"])
    assert "is already a member" in invite(owner, businesses, "our-viewer@example.test")
    assert "Enter an email address." in invite(owner, businesses, "")
    assert Membership.objects.filter(tenant=businesses.ours).count() == 3
    assert not Invitation.objects.exists()


def test_a_member_of_two_businesses_keeps_the_other(businesses: TwoBusinesses) -> None:
    both = person("both", theirs=Role.VIEWER)
    invite(businesses.browser("owner"), businesses, both.email, "owner")
    answer(browser_of(both), Invitation.objects.get())
    assert set(Membership.objects.filter(user=both).values_list("tenant__slug", "role")) == {
        ("theirs", "viewer"),
        ("ours", "owner"),
    }


def test_nobody_can_probe_many_addresses_for_accounts(businesses: TwoBusinesses) -> None:
    """Withdrawing the invitations doesn't help."""
    owner = businesses.browser("owner")
    for number in range(A_DAY):
        assert "Send this link" in invite(owner, businesses, f"probe-{number}@example.test")
    Invitation.objects.all().delete()
    refused = invite(owner, businesses, businesses.people["stranger"].email)
    assert f"You can invite {A_DAY} people a day" in refused
    assert "account" not in refused.partition("You can invite")[2].partition("</")[0]
    assert not Invitation.objects.exists()
    assert "Send this link" in invite(businesses.browser("superuser"), businesses, ADDRESS)
