"""axe finds nothing serious on any page: light and dark, wide and as narrow as a phone.

Uses the rules of axe 4.12, bundled with axe-playwright-python; nothing is downloaded.
"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.bakery import Bakery
from tests.browser.conftest import PHONE, WIDE, Desk

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]

SERIOUS = {"serious", "critical"}
SCHEMES = ["light", "dark"]
SIZES = {"wide": WIDE, "phone": PHONE}


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
    }


def serious(page: Page, where: str) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{where}: {violation['id']} ({violation['impact']}) {node['target']} {node['html'][:200]} "
        f"{node['any'][0]['message'] if node['any'] else ''}"
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def at_each_size(page: Page, address: str, where: str) -> list[str]:
    shown = page.goto(address)
    assert shown, address
    assert shown.ok, address
    found = []
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        found += serious(page, f"{where}, {size}")
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_admin(desk: Desk, bakery: Bakery, scheme: str) -> None:
    page = desk.page_of("owner", color_scheme=scheme)
    found = []
    for name, path in pages(bakery).items():
        found += at_each_size(page, desk.url + path, f"{name}, {scheme}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages_of_strangers(desk: Desk, scheme: str, settings: Any) -> None:
    """The login page and, as in development, the sandbox's phone."""
    page = desk.window(color_scheme=scheme).new_page()
    found = []
    for urls, path in (("config.urls", "/admin/"), ("sandbox.tests.urls", "/sandbox/")):
        settings.ROOT_URLCONF = urls
        found += at_each_size(page, desk.url + path, f"{path}, {scheme}")
    assert not found, "\n".join(found)
