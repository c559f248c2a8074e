"""`make screenshots`: the images in docs/screenshots, of a fictional bakery. Check each one before you commit it."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, ViewportSize

from tests.browser.bakery import Bakery
from tests.browser.conftest import PHONE, Desk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SCREEN = ViewportSize(width=1280, height=800)
COLOURS = 128  # with a palette: a quarter of the size, without a visible difference


def keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT).save(FOLDER / f"{name}.png", optimize=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_takes_the_pictures(desk: Desk, bakery: Bakery, scheme: str) -> None:
    conversation = f"/admin/conversations/conversation/{bakery.talk.pk}/change/"
    owners = {
        "overview": "/admin/",
        "assistant": f"/admin/assistant/assistant/{bakery.assistant.pk}/change/",
        "account": f"/admin/whatsapp/whatsappaccount/{bakery.account.pk}/change/",
    }
    agents = {"conversations": "/admin/conversations/conversation/", "conversation": conversation}
    ending = "" if scheme == "light" else "-dark"
    for who, pages in (("owner", owners), ("operator", agents)):
        page = desk.page_of(who, viewport=SCREEN, color_scheme=scheme)
        for name, path in pages.items():
            page.goto(desk.url + path)
            keep(page, name + ending)
    phone = desk.page_of("operator", viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)
    for name, path in agents.items():
        phone.goto(desk.url + path)
        keep(phone, f"{name}-narrow{ending}")
