"""The phone in a browser."""

import shutil
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from sandbox.tests.conftest import Bot
from sandbox.tests.graph import NUMBER, PERSON
from sandbox.tests.templates import LINK, SALE, SHIPPED

CHROMIUM = shutil.which("chromium") or ""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is missing: apt install chromium"),
]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003860180"
    "5a3420dc0000000049454e44ae426082"
)
FAKE_MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture
def page(live_server: LiveServer, bot: Bot) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FAKE_MICROPHONE])
        opened = browser.new_page(viewport={"width": 1440, "height": 900})
        problems: list[str] = []
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        opened.goto(f"{live_server.url}/sandbox/")
        yield opened
        browser.close()
    assert problems == []


def send(server: LiveServer, **content: Any) -> dict[str, Any]:
    """Over HTTP, because Playwright's event loop runs in this thread, where Django doesn't allow the ORM."""
    body = {"messaging_product": "whatsapp", "to": PERSON, **content}
    url = f"{server.url}/sandbox/graph/v24.0/{NUMBER}/messages"
    answer: dict[str, Any] = httpx2.post(url, json=body, headers={"Authorization": "Bearer any"}).json()
    return answer


def posted(bot: Bot) -> str:
    """The kind of the next customer's message that the bot received."""
    while True:
        value = bot.next().value
        if "messages" in value:
            return str(value["messages"][0]["type"])


def menu(page: Page, words: str, entry: str) -> None:
    bubble = page.locator(".bubble", has_text=words)
    bubble.hover()
    bubble.locator(".more").click()
    page.locator("#bubble-menu").get_by_text(entry).click()


def test_a_person_writes_attaches_reacts_edits_and_deletes(page: Page, bot: Bot) -> None:
    page.get_by_label("Message", exact=True).fill("Two rolls")
    page.keyboard.press("Enter")
    expect(page.locator(".bubble.mine", has_text="Two rolls")).to_be_visible()
    assert posted(bot) == "text"
    expect(page.get_by_label("Accepted by the webhook")).to_be_visible()

    page.locator("#file").set_input_files([])
    page.get_by_label("Attach").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("menuitem", name="Photo").click()
    chooser.value.set_files({"name": "cake.png", "mimeType": "image/png", "buffer": PNG})
    expect(page.locator("img.photo")).to_be_visible()
    assert posted(bot) == "image"

    page.get_by_label("Record a voice note").click()
    page.get_by_label("Send voice note").click()
    expect(page.locator(".bubble audio")).to_be_visible()
    assert posted(bot) == "audio"

    menu(page, "Two rolls", "👍")
    assert posted(bot) == "reaction"
    menu(page, "Two rolls", "Edit")
    page.get_by_label("Message", exact=True).fill("Three rolls")
    page.keyboard.press("Enter")
    expect(page.locator(".bubble.mine", has_text="Three rolls")).to_contain_text("edited")
    assert posted(bot) == "edit"
    menu(page, "Three rolls", "Delete for everyone")
    expect(page.get_by_text("You deleted this message")).to_be_visible()
    assert posted(bot) == "revoke"


def test_replies_appear_and_buttons_can_be_tapped(page: Page, bot: Bot, live_server: LiveServer) -> None:
    reply = {"type": "reply", "reply": {"id": "yes", "title": "Yes, please"}}
    order = {"type": "button", "body": {"text": "Shall we bake it?"}, "action": {"buttons": [reply]}}
    assert send(live_server, type="interactive", interactive=order)["messages"]
    page.get_by_role("button", name="Yes, please").click()
    expect(page.locator(".bubble.mine", has_text="Yes, please")).to_contain_text("Shall we bake it?")
    expect(page.locator(".bubble")).to_have_count(2)
    while bot.next().value.get("statuses", [{}])[0].get("status") != "read":
        pass


def test_the_buttons_of_templates_link_copy_and_answer(page: Page, bot: Bot, live_server: LiveServer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for content in (SHIPPED, SALE):
        assert send(live_server, type="template", template=content)["messages"]
    link = page.get_by_role("link", name="Follow it")
    expect(link).to_have_attribute("href", "https://bakery.example/track/17")
    expect(page.locator(".bubble", has=link).locator("a.card")).to_have_attribute("href", LINK["link"])
    expect(page.get_by_text("20% off this week")).to_be_visible()
    page.get_by_role("button", name="Copy offer code").click()
    expect(page.get_by_role("button", name="Copied: SUMMER")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "SUMMER"
    page.get_by_role("button", name="No more offers").click()
    assert posted(bot) == "button"


def test_it_explains_failures_and_shows_rules(page: Page, bot: Bot, live_server: LiveServer) -> None:
    page.get_by_label("Fault").select_option("graph/error")
    page.locator("[name=code]").select_option("131056")
    page.get_by_role("button", name="Add rule").click()
    expect(page.locator(".rules li")).to_contain_text("131056")
    assert send(live_server, type="text", text={"body": "Hello"})["error"]["code"] == 131056
    expect(page.get_by_text("The weather is fine")).to_be_visible()
    bot.answers = [403] * 4
    page.get_by_label("Message", exact=True).fill("Hello?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("refused the signature (403)")).to_be_visible()
    page.get_by_role("button", name="Deliver again").click()
    expect(page.get_by_text("refused the signature (403)")).to_have_count(0)
    page.get_by_role("tab", name="Log").click()
    expect(page.locator(".log details").first).to_be_visible()


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.get_by_label("Message", exact=True)).to_be_in_viewport()
    page.get_by_role("button", name="People").click()
    expect(page.get_by_role("button", name="Milo Ferrer")).to_be_in_viewport()
    page.get_by_role("button", name="Milo Ferrer").click()
    expect(page.get_by_label("Message", exact=True)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_customers_are_sorted_by_their_last_message_and_a_new_one_is_on_top_and_in_view(page: Page, bot: Bot) -> None:
    names = page.locator("#customers .who > span")
    expect(names).to_have_text(["Milo Ferrer", "Ada Okafor"])
    for name in ("Milo Ferrer", "Ada Okafor"):
        page.get_by_role("button", name=name).click()
        page.get_by_label("Message", exact=True).fill(f"I'm {name}.")
        page.keyboard.press("Enter")
        expect(page.locator(".bubble.mine", has_text=name)).to_be_visible()
        posted(bot)
    expect(names).to_have_text(["Ada Okafor", "Milo Ferrer"])
    page.get_by_role("button", name="New customer").click()
    page.get_by_label("Name", exact=True).fill("Noor Haddad")
    page.get_by_label("Phone number", exact=True).fill("+1 555 765 4321")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(names).to_have_text(["Noor Haddad", "Ada Okafor", "Milo Ferrer"])
    expect(page.get_by_role("button", name="Noor Haddad")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("button", name="Noor Haddad")).to_be_in_viewport()
