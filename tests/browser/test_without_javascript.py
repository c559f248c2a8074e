"""The desk without JavaScript: everything is a link or a form."""

import pytest
from playwright.sync_api import expect

from conversations.tests.rows import many_messages
from tests.browser.conftest import Desk
from tests.browser.test_agent import LIST, bubble, button

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


def test_an_agent_searches_pages_up_takes_over_answers_and_hands_back(desk: Desk) -> None:
    desk.customer_writes("Do you have a strawberry cake?")
    desk.work()
    talk = desk.talk()
    many_messages(talk, 70)
    agent = desk.businesses.people["operator"]
    agent.set_password("a-long-password-42")
    agent.save()

    page = desk.window(java_script_enabled=False).new_page()
    page.goto(desk.url + LIST)
    page.get_by_label("Username").fill(agent.username)
    page.get_by_label("Password").fill("a-long-password-42")
    page.keyboard.press("Enter")
    page.locator("#searchbar").fill("strawb")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Ann Lee").click()
    page.get_by_role("link", name="Older messages").click()
    expect(bubble(page, "message no. 0.")).to_be_visible()
    page.get_by_role("link", name="Jump to latest").click()
    button(page, "Take over").click()
    expect(page.get_by_text("Handled by our-operator")).to_be_visible()
    page.get_by_label("Your reply").fill("With fruit only.")
    button(page, "Send").click()
    expect(bubble(page, "With fruit only.")).to_be_visible()
    page.get_by_text("Note", exact=True).click()
    page.get_by_label("Your note").fill("She is allergic to nuts.")
    button(page, "Save note").click()
    expect(page.locator(".desk-note", has_text="She is allergic to nuts.")).to_be_visible()
    button(page, "Hand back").click()
    expect(page.get_by_text("Handled by the assistant")).to_be_visible()
    desk.work()
    assert desk.stage.wire.texts == ["Answer to Do you have a strawberry cake?", "With fruit only."]
