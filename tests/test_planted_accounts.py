"""An owner invites a stranger, opens the link themself, and waits until that person's employer invites them too."""

import pytest
from django.test import Client

from conversations.tests.rows import conversation, message
from tenants.models import Invitation, Membership
from tenants.tests.people import TwoBusinesses
from tenants.tests.test_admin_invitations import PASSWORD, answer, invite, link_in, open_link, sees

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_an_account_that_one_business_planted_never_gets_into_another(businesses: TwoBusinesses, first: str) -> None:
    owners = {"ours": businesses.browser("owner"), "theirs": businesses.browser("stranger")}
    second = "theirs" if first == "ours" else "ours"
    planted = open_link(link_in(invite(owners[first], businesses, "future@b.test", to=first)))
    talk = conversation(getattr(businesses, second))
    message(talk, "For their eyes only")
    page = invite(owners[second], businesses, "Future@B.test", to=second)
    assert "already has an account, but its owner hasn't confirmed" in page
    for wanted in Invitation.objects.all():
        assert answer(planted, wanted) == 404
    assert "invited you" not in planted.get("/admin/").content.decode()
    open_link(link_in(page), planted)  # the planted account's browser opens even the link
    planted = Client()
    assert planted.login(username="future@b.test", password=PASSWORD)
    assert not sees(planted, second)
    assert planted.get(f"/admin/conversations/conversation/{talk.pk}/change/").status_code == 404
    assert planted.post(f"/admin/conversations/conversation/{talk.pk}/note/", {"text": "x"}).status_code == 404
    (joined,) = Membership.objects.filter(tenant=getattr(businesses, second), user__username__startswith="future")
    assert joined.user.username != "future@b.test"
