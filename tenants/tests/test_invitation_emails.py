"""With email configured, only the invited address gets the link."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from tenants.models import Invitation, Membership
from tenants.tests.people import TwoBusinesses, browser_of, person
from tenants.tests.test_admin_invitations import ADDRESS, LIST, answer, invite, link_in, open_link, sees
from tests.stage import Stage


@pytest.fixture
def businesses(stage: Stage, settings: Any) -> TwoBusinesses:
    settings.EMAIL_URL = "smtp://mail.test"
    return TwoBusinesses()


def link_in_newest_email() -> str:
    found = re.search(r"http://localhost:\d+(/invitation/\S+)", str(mail.outbox[-1].body))
    return found[1] if found else ""


def test_the_link_goes_to_the_address_and_proves_it(stage: Stage, businesses: TwoBusinesses) -> None:
    page = invite(businesses.browser("owner"), businesses, "New.Person@example.test")
    assert "sending a link to new.person@example.test" in page
    assert link_in(page) == ""
    stage.work()
    assert [email.to for email in mail.outbox] == [[ADDRESS]]
    assert sees(open_link(link_in_newest_email()), "ours")
    invitee = User.objects.get(username=ADDRESS)
    # The address is confirmed, so another business's invitation reaches the same account.
    assert "already has an account" in invite(businesses.browser("stranger"), businesses, ADDRESS, to="theirs")
    assert answer(browser_of(invitee), Invitation.objects.get()) == 302
    assert Membership.objects.filter(user=invitee).count() == 2


def test_neither_the_job_nor_the_page_of_the_inviter_holds_the_link(stage: Stage, businesses: TwoBusinesses) -> None:
    client = businesses.browser("owner")
    invite(client, businesses, ADDRESS)
    stage.work()
    token = link_in_newest_email().split("/")[2]
    assert len(token) > 40
    pages = [client.get(LIST), client.get(f"{LIST}{Invitation.objects.get().pk}/change/")]
    assert all(token not in page.content.decode() for page in pages)
    assert "Emailed" in pages[0].content.decode()
    assert token not in str(list(Invitation.objects.values()))


def test_the_real_owner_of_an_address_joins_although_someone_planted_an_account(
    stage: Stage, businesses: TwoBusinesses, settings: Any
) -> None:
    settings.EMAIL_URL = ""
    planted = open_link(link_in(invite(businesses.browser("stranger"), businesses, ADDRESS, to="theirs")))
    settings.EMAIL_URL = "smtp://mail.test"
    invite(businesses.browser("owner"), businesses, ADDRESS)
    stage.work()
    assert answer(planted, Invitation.objects.get()) == 404
    real = open_link(link_in_newest_email())
    assert sees(real, "ours")
    assert not sees(planted, "ours")
    assert User.objects.get(email=ADDRESS).username != ADDRESS


def test_an_email_to_someone_with_an_account_only_asks_them_to_sign_in(stage: Stage, businesses: TwoBusinesses) -> None:
    known = person("known")
    before = known.password
    invite(businesses.browser("owner"), businesses, known.email)
    stage.work()
    address = link_in_newest_email()
    assert "Sign in with it to accept" in Client().get(address).content.decode()
    open_link(address)
    known.refresh_from_db()
    assert known.password == before
    assert not Membership.objects.filter(user=known).exists()
    assert browser_of(known).get(address)["Location"] == "/admin/"


def test_a_withdrawn_invitation_is_not_sent(stage: Stage, businesses: TwoBusinesses) -> None:
    invite(businesses.browser("owner"), businesses, ADDRESS)
    Invitation.objects.all().delete()
    stage.work()
    assert mail.outbox == []
