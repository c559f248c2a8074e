"""“My notifications”: preferences, devices and tests, for everyone with a role, and only their own."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from notifications.models import NotificationDelivery, NotificationPreferences, PushSubscription
from notifications.tests.outside import Device, mail_server
from notifications.tests.test_email import use
from tenants.tests.people import TwoBusinesses, browser_of
from tests.faults.processes import free_port
from webhooks.tests.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)
MINE = "/admin/notifications/notificationdelivery/mine/"


def test_the_defaults_are_shown_and_can_be_changed(businesses: TwoBusinesses) -> None:
    client = businesses.browser("operator")
    page = client.get(MINE).content.decode()
    assert 'name="push_kinds" value="handover" checked' in page
    assert 'name="email_kinds" value="message" aria-label' in page
    assert "Business ours: you’re notified first." in page
    changed = {"push_kinds": ["failed"], "quiet_from": "22:00", "quiet_until": "07:00", "digest_at": "09:30"}
    assert client.post(MINE, changed).status_code == 302
    stored = NotificationPreferences.objects.get()
    assert stored.user == businesses.people["operator"]
    assert (stored.page_kinds, stored.push_kinds, stored.sound) == ([], ["failed"], False)
    assert stored.quiet_from == dt.time(22)
    assert 'name="push_kinds" value="handover" aria-label' in client.get(MINE).content.decode()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"quiet_from": "22:00"}, "Enter both times of your quiet hours, or neither."),
        ({"push_kinds": ["x"]}, "Select a valid choice"),
    ],
)
def test_mistakes_are_explained(businesses: TwoBusinesses, wrong: dict[str, Any], error: str) -> None:
    response = businesses.browser("operator").post(MINE, {"digest_at": "08:00", **wrong})
    assert response.status_code == 400
    assert error.split("&")[0] in response.content.decode()
    assert not NotificationPreferences.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("anonymous", 302), ("nobody", 403), ("viewer", 200), ("superuser", 200)])
def test_everyone_with_a_role_has_the_page(businesses: TwoBusinesses, who: str, status: int) -> None:
    client = Client() if who == "anonymous" else businesses.browser(who)
    assert client.get(MINE).status_code == status


# --- tests ---


def said(client: Client, channel: str) -> str:
    return client.post(f"{MINE}test/{channel}/", follow=True).content.decode()


def test_a_test_by_email(businesses: TwoBusinesses, settings: Any) -> None:
    client = businesses.browser("operator")
    assert "Email isn&#x27;t set up on this installation" in said(client, "email")
    with mail_server() as mail:
        use(settings, mail.port)
        assert "We&#x27;ve sent an email to our-operator@example.test" in said(client, "email")
        (email,) = mail.emails
        assert email["Subject"] == "[Business ours] Test"
        mail.answers = ["550 no such user"]
        assert "The mail server refused the address: 550 no such user" in said(client, "email")
    use(settings, free_port())
    assert "No connection to the mail server" in said(client, "email")
    states = NotificationDelivery.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["failed", "sent", "failed", "failed"]


def test_a_test_by_push(businesses: TwoBusinesses, settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    client = businesses.browser("operator")
    assert "Push isn&#x27;t turned on for any of your devices." in said(client, "push")
    with receiving() as service:
        device = Device(service.url)
        assert client.post(f"{MINE}devices/", device.form).status_code == 200
        assert "We&#x27;ve sent a push message" in said(client, "push")
        assert device.read(service.got[0][1])["title"] == "Test"
        service.codes = [410]
        assert "This device no longer accepts notifications." in said(client, "push")
    assert not PushSubscription.objects.exists()


@pytest.mark.parametrize("channel", ["page", "digest", "x"])
def test_other_channels_have_no_test_on_the_server(businesses: TwoBusinesses, channel: str) -> None:
    assert businesses.browser("operator").post(f"{MINE}test/{channel}/").status_code == 403


# --- devices ---


def test_a_device_is_added_named_and_removed(businesses: TwoBusinesses) -> None:
    client = businesses.browser("operator")
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
    for _ in range(2):
        form = Device("https://push.example.com/1").form
        added = client.post(f"{MINE}devices/", form, headers={"User-Agent": agent})
    assert added.status_code == 400  # the same address with other keys is someone else's
    device = PushSubscription.objects.get()
    assert (device.user, device.device) == (businesses.people["operator"], "Chrome on Linux")
    assert "Chrome on Linux" in client.get(MINE).content.decode()
    assert businesses.browser("owner").post(f"{MINE}devices/{device.pk}/remove/").status_code == 404
    assert client.post(f"{MINE}devices/{device.pk}/remove/").status_code == 302
    assert not PushSubscription.objects.exists()


def test_whoever_signs_in_next_in_the_same_browser_has_the_device(businesses: TwoBusinesses) -> None:
    device = Device("https://push.example.com/1")
    for who in ("operator", "owner"):
        assert businesses.browser(who).post(f"{MINE}devices/", device.form).status_code == 200
    assert PushSubscription.objects.get().user == businesses.people["owner"]


@pytest.mark.parametrize("url", ["https://10.0.0.1/x", "http://push.example.com/x", ""])
def test_a_device_with_a_dangerous_address_is_refused(businesses: TwoBusinesses, url: str) -> None:
    response = businesses.browser("operator").post(f"{MINE}devices/", Device(url).form)
    assert response.status_code == 400
    assert response.json()["error"]


# --- the app ---


def test_the_manifest_and_the_service_worker(client: Client, businesses: TwoBusinesses) -> None:
    manifest = client.get("/manifest.webmanifest")
    assert manifest["Content-Type"] == "application/manifest+json"
    content = manifest.json()
    assert (content["scope"], content["display"]) == ("/admin/", "standalone")
    for icon in content["icons"]:
        assert finders.find(icon["src"].removeprefix("/static/"))
    worker = client.get("/service-worker.js")
    assert worker["Content-Type"] == "text/javascript"
    assert '"/admin/"' in worker.content.decode()
    page = businesses.browser("owner").get("/admin/").content.decode()
    assert '<link rel="manifest" href="/manifest.webmanifest"' in page
    assert browser_of(businesses.people["owner"]).get(content["start_url"]).status_code == 200
