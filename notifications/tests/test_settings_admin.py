"""A business's notification settings, and the log of what was sent."""

import pytest

from notifications import telling
from notifications.models import NotificationRecipient, NotificationSettings
from notifications.tests.line import happen
from tenants.models import Membership
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
ADD = "/admin/notifications/notificationsettings/add/"
LOG = "/admin/notifications/notificationdelivery/"


def form(businesses: TwoBusinesses, member: Membership) -> dict[str, object]:
    return {
        "tenant": businesses.ours.pk,
        "unanswered_minutes": 5,
        "escalate_minutes": 2,
        "budget_percent": 90,
        "recipients-TOTAL_FORMS": 1,
        "recipients-INITIAL_FORMS": 0,
        "recipients-0-membership": member.pk,
        "recipients-0-position": 1,
        "recipients-0-kinds": ["handover", "account"],
    }


def member(businesses: TwoBusinesses, who: str) -> Membership:
    return Membership.objects.get(user=businesses.people[who])


def test_an_owner_chooses_who_is_told_of_what(businesses: TwoBusinesses) -> None:
    client = businesses.browser("owner")
    assert client.post(ADD, form(businesses, member(businesses, "viewer"))).status_code == 302
    recipient = NotificationRecipient.objects.get()
    assert (recipient.settings.escalate_minutes, recipient.kinds) == (2, ["handover", "account"])
    page = f"/admin/notifications/notificationsettings/{recipient.settings_id}/change/"
    assert client.get(page).status_code == 200
    changed = form(businesses, member(businesses, "viewer")) | {
        "recipients-INITIAL_FORMS": 1,
        "recipients-0-id": recipient.pk,
        "recipients-0-settings": recipient.settings_id,
        "recipients-0-position": 3,
    }
    assert client.post(page, changed).status_code == 302
    recipient.refresh_from_db()
    assert recipient.position == 3
    assert client.post(page, changed | {"recipients-0-DELETE": "on"}).status_code == 302
    assert not NotificationRecipient.objects.exists()


def test_nobody_of_another_business_can_be_chosen(businesses: TwoBusinesses) -> None:
    for who in ("owner", "superuser"):
        response = businesses.browser(who).post(ADD, form(businesses, member(businesses, "stranger")))
        assert response.status_code == 200
        assert not NotificationSettings.objects.exists()


@pytest.mark.parametrize("who", ["operator", "viewer"])
def test_only_owners_change_them(businesses: TwoBusinesses, who: str) -> None:
    chosen = NotificationSettings.objects.create(tenant=businesses.ours)
    client = businesses.browser(who)
    page = f"/admin/notifications/notificationsettings/{chosen.pk}/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, form(businesses, member(businesses, "viewer"))).status_code == 403
    assert not NotificationRecipient.objects.exists()


def test_the_log_says_what_was_sent_to_whom(businesses: TwoBusinesses) -> None:
    happen(businesses.ours, text="Asked for a person.")
    happen(businesses.theirs, subject="conversation:2")
    telling.tell_due()
    page = businesses.browser("owner").get(LOG).content.decode()
    assert "handover of conversation:1" in page
    assert "our-operator" in page
    assert "conversation:2" not in page
    assert businesses.browser("operator").get(LOG).status_code == 403
