"""axe finds nothing serious on any page: wide and light, and as narrow as a phone and dark.

Uses the rules of axe 4.12, bundled with axe-playwright-python; nothing is downloaded.
"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

from assistant.models import Turn
from conversations.models import Pause
from tests.browser.bakery import Bakery
from tests.browser.conftest import PHONE, WIDE, Desk
from webhooks.models import WebhookDelivery, WebhookEndpoint
from webhooks.recording import record_test
from webhooks.signature import new_secret

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]

SERIOUS = {"serious", "critical"}
LOOKS = [("light", WIDE), ("dark", PHONE)]


def pages(bakery: Bakery) -> dict[str, str]:
    return {
        "dashboard": "/admin/",
        "conversations": "/admin/conversations/conversation/",
        "nothing found": "/admin/conversations/conversation/?q=nobodysaidthis",
        "transcript": f"/admin/conversations/conversation/{bakery.talk.pk}/change/",
        "compose": f"/admin/conversations/conversation/{bakery.talk.pk}/compose/",
        "assistant": f"/admin/assistant/assistant/{bakery.assistant.pk}/change/",
        "test prompt": f"/admin/assistant/assistant/{bakery.assistant.pk}/test-prompt/",
        "account": f"/admin/whatsapp/whatsappaccount/{bakery.account.pk}/change/",
        "leads": "/admin/leads/lead/",
        "lead": f"/admin/leads/lead/{bakery.lead.pk}/change/",
        "quarantine": "/admin/whatsapp/quarantinedevent/",
        "quarantined": f"/admin/whatsapp/quarantinedevent/{bakery.quarantined.pk}/change/",
        "new member": "/admin/tenants/membership/add/",
        "my notifications": "/admin/notifications/notificationdelivery/mine/",
        "notification settings": "/admin/notifications/notificationsettings/add/",
        "sent notifications": "/admin/notifications/notificationdelivery/",
        "who needs an agent": "/admin/conversations/conversation/?tab=needs",
        "settings": "/admin/conversations/conversation/preferences/",
        "opening hours": "/admin/tenants/openinghours/add/",
        "lead fields": "/admin/leads/leadfield/",
        "new lead field": "/admin/leads/leadfield/add/",
        "invitations": "/admin/tenants/invitation/",
        "members": "/admin/tenants/membership/",
        "business": f"/admin/tenants/tenant/{bakery.talk.tenant_id}/change/",
        "webhook": f"/admin/webhooks/webhookendpoint/{webhook_of(bakery).pk}/change/",
        "turns": "/admin/assistant/turn/",
        "turn": f"/admin/assistant/turn/{Turn.objects.latest('pk').pk}/change/",
        "messages": "/admin/conversations/conversationmessage/",
    }


def webhook_of(bakery: Bakery) -> WebhookEndpoint:
    """A webhook with a delivery that failed, and one that waits."""
    endpoint = WebhookEndpoint.objects.create(
        tenant=bakery.account.tenant, url="https://shop.example/hook", event_types=["needs_person"], secret=new_secret()
    )
    for _ in range(2):
        record_test(endpoint)
    failed = WebhookDelivery.objects.latest("pk")
    WebhookDelivery.objects.filter(pk=failed.pk).update(status="failed", response_code=500, error="Out of flour.")
    return endpoint


def serious(page: Page, where: str) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{where}: {violation['id']} ({violation['impact']}) {node['target']} {node['html'][:200]} "
        f"{node['any'][0]['message'] if node['any'] else ''}"
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def checked(page: Page, address: str, where: str, size: ViewportSize) -> list[str]:
    page.set_viewport_size(size)
    shown = page.goto(address)
    assert shown, address
    assert shown.ok, address
    return serious(page, where)


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_the_admin(desk: Desk, bakery: Bakery, scheme: str, size: ViewportSize) -> None:
    page = desk.page_of("owner", color_scheme=scheme)
    found = []
    for name, path in pages(bakery).items():
        found += checked(page, desk.url + path, f"{name}, {scheme}", size)
    paused = f"/admin/conversations/pause/{Pause.objects.get().pk}/resume/"
    found += checked(desk.page_of("superuser", color_scheme=scheme), desk.url + paused, f"resume, {scheme}", size)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_the_error_pages(desk: Desk, scheme: str, size: ViewportSize) -> None:
    page = desk.page_of("viewer", color_scheme=scheme, viewport=size)
    found = []
    for path, status in (("/nowhere/", 404), ("/admin/webhooks/webhookendpoint/add/", 403)):
        shown = page.goto(desk.url + path)
        assert shown, path
        assert shown.status == status
        found += serious(page, f"{path}, {scheme}")
        page.get_by_role("link", name="Back to Parley").click()
        page.wait_for_url("**/admin/conversations/conversation/")
    assert not found, "\n".join(found)
    desk.problems.clear()  # the browser reports both statuses as errors


def invitation_to_someone_new(desk: Desk) -> str:
    """The path of its link."""
    owner = desk.page_of("owner", "/admin/tenants/membership/add/")
    owner.get_by_label("Email address").fill("new@example.test")
    owner.get_by_role("button", name="Save", exact=True).click()
    return "/invitation/" + owner.locator("code").inner_text().split("/invitation/")[1]


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_the_pages_of_strangers(desk: Desk, scheme: str, size: ViewportSize, settings: Any) -> None:
    """The login page and, as in development, the sandbox's phone."""
    page = desk.window(color_scheme=scheme).new_page()
    found = []
    for urls, path in (
        ("config.urls", "/admin/"),
        ("config.urls", invitation_to_someone_new(desk)),
        ("sandbox.tests.urls", "/sandbox/"),
    ):
        settings.ROOT_URLCONF = urls
        found += checked(page, desk.url + path, f"{path}, {scheme}", size)
    assert not found, "\n".join(found)
