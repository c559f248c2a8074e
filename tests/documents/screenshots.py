"""`make screenshots`: the images in docs/screenshots, of the demo. Look at each one before you commit it."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.documents.blocks import PROJECT
from tests.documents.conftest import Installation

pytestmark = pytest.mark.browser

FOLDER = PROJECT / "docs" / "screenshots"
WIDE, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)
COLOURS = 128  # with a palette: a quarter of the size, without a visible difference
SHOWN, SHOWN_WITH_PICTURE = "Hannah Price", "Owen Clarke"
ORDER = (
    ("How much is a cake for 12 people?", "Would you like to order it?"),
    ("Yes please, for Saturday", "Shall I pass the order on?"),
    ("Yes", "Thank you, Ada!"),
)
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


def keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT).save(FOLDER / f"{name}.png", optimize=True)


def sign_in(page: Page, url: str, folder: Path) -> None:
    page.goto(f"{url}/admin/")
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill((folder / ".data" / "admin-password").read_text())
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/admin/")


def take(
    installation: Installation, browser: Browser, scheme: Scheme, size: ViewportSize, pages: dict[str, str]
) -> None:
    """pages: by the picture's name, the page's path."""
    url = f"http://localhost:{installation.port}"
    is_phone = size is PHONE
    context = browser.new_context(viewport=size, color_scheme=scheme, has_touch=is_phone, is_mobile=is_phone)
    page = context.new_page()
    sign_in(page, url, installation.folder)
    for name, path in pages.items():
        page.goto(url + path)
        match name.split("-")[0]:
            case "conversation":
                shows_picture = name == "conversation-kinds"
                page.get_by_role("link", name=SHOWN_WITH_PICTURE if shows_picture else SHOWN).first.click()
                expect(page.locator("#transcript")).to_be_visible()
                if shows_picture:
                    page.locator(".desk-bubble img").scroll_into_view_if_needed()
                page.wait_for_load_state("networkidle")
            case "assistant" | "account":  # the only one
                page.locator("#result_list a[href*=change]").first.click()
                page.wait_for_url("**/change/**")
        keep(page, name)
    context.close()


def test_takes_the_pictures_of_the_phone(installation: Installation, browser: Browser) -> None:
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto(f"http://localhost:{installation.port}/sandbox/")
    for text, reply in ORDER:
        page.get_by_label("Message", exact=True).fill(text)
        page.keyboard.press("Enter")
        expect(page.locator(".bubble.theirs", has_text=reply)).to_be_visible(timeout=60_000)
    keep(page, "phone")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_takes_the_pictures_of_the_admin(installation: Installation, browser: Browser, scheme: Scheme) -> None:
    ending = "" if scheme == "light" else "-dark"
    inbox = "/admin/conversations/conversation/"
    pages = {
        "overview": "/admin/",
        "conversations": inbox,
        "conversation": inbox,
        "assistant": "/admin/assistant/assistant/",
        "account": "/admin/whatsapp/whatsappaccount/",
    }
    take(installation, browser, scheme, WIDE, {f"{name}{ending}": path for name, path in pages.items()})
    if scheme == "light":
        take(installation, browser, scheme, WIDE, {"conversation-kinds": inbox})
    narrow = {f"{name}-narrow{ending}": inbox for name in ("conversations", "conversation")}
    take(installation, browser, scheme, PHONE, narrow)
