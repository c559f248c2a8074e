"""A support agent's day at the desk, in a real browser, and what a viewer can't do."""

import datetime as dt
import re

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from conversations.models import Conversation
from tenants.tests.people import Role, person
from tests.browser.conftest import PHONE, Desk

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]

LIST = "/admin/conversations/conversation/"


def bubble(page: Page, words: str) -> Locator:
    return page.locator(".desk-bubble", has_text=words)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_an_agent_finds_a_conversation_takes_over_replies_and_hands_back(desk: Desk) -> None:
    desk.customer_writes("Do you have a strawberry cake?")
    desk.customer_writes("When do you open?", "Bo Berg", "4915112345")
    desk.work()
    agent = desk.businesses.people["operator"]
    agent.set_password("a-long-password-42")
    agent.save()

    page = desk.window().new_page()
    page.goto(desk.url + "/admin/")
    page.get_by_label("Username").fill(agent.username)
    page.get_by_label("Password").fill("a-long-password-42")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Conversations").first.click()
    expect(page.get_by_role("link", name="Bo Berg")).to_be_visible()
    page.locator("#searchbar").fill("strawb")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Bo Berg")).to_have_count(0)
    page.get_by_role("link", name="Ann Lee").click()
    expect(bubble(page, "Answer to Do you have a strawberry cake?")).to_contain_text("Sent")

    page.evaluate("document.body.dataset.sameDocument = 'yes'")
    desk.customer_writes("Without sugar, please")
    expect(bubble(page, "Without sugar, please")).to_be_in_viewport()
    expect(page.locator("body")).to_have_attribute("data-same-document", "yes")  # the page was not reloaded

    button(page, "Take over").click()
    expect(page.get_by_text("Handled by our-operator")).to_be_visible()
    desk.work()
    expect(bubble(page, "Answer to Without sugar")).to_have_count(0)  # the assistant is paused
    page.get_by_label("Your reply").fill("We have one with fruit only.\nShall I keep it for you?")
    expect(page.locator(".desk-reply .desk-count").first).to_have_text("53 / 4096")
    page.keyboard.press("Control+Enter")
    mine = bubble(page, "We have one with fruit only.")
    expect(mine).to_contain_text("our-operator")
    expect(mine).to_contain_text("Queued")
    desk.work()
    expect(mine.locator(".desk-tick")).to_contain_text("Sent")
    desk.becomes("delivered")
    expect(mine.locator(".desk-tick")).to_contain_text("Delivered")
    desk.becomes("read")
    expect(mine.locator(".desk-tick")).to_contain_text("Read")
    assert desk.stage.wire.texts[-1] == "We have one with fruit only.\nShall I keep it for you?"

    button(page, "Hand back").click()
    expect(page.get_by_text("Handled by the assistant")).to_be_visible()
    desk.customer_writes("Thank you!")
    desk.work()
    expect(bubble(page, "Answer to Thank you!")).to_be_in_viewport()


def test_a_viewer_can_only_read(desk: Desk) -> None:
    desk.customer_writes("Is anybody there?")
    desk.work()
    page = desk.page_of("viewer", desk.path())
    expect(bubble(page, "Answer to Is anybody there?")).to_be_visible()
    desk.customer_writes("Hello?")
    expect(bubble(page, "Hello?").last).to_be_visible()
    for name in ("Take over", "Hand back", "Send", "Mark as resolved", "Send again"):
        expect(button(page, name)).to_have_count(0)
    expect(page.get_by_label("Your reply")).to_have_count(0)
    expect(page.get_by_text("Only operators can reply")).to_be_visible()

    # A forged page with the viewer's own session and token.
    page.goto(desk.url + LIST)
    token = page.evaluate("document.querySelector('[name=csrfmiddlewaretoken]')?.value ?? ''")
    talk = desk.talk()
    for action in ("take-over", "reply", "hand-back"):
        answer = page.request.post(
            f"{desk.url}{LIST}{talk.pk}/{action}/",
            form={"csrfmiddlewaretoken": token or "x" * 64, "text": "Forged"},
            headers={"Referer": desk.url + "/"},
        )
        assert answer.status == 403, action
    talk.refresh_from_db()
    assert talk.handled_by == Conversation.Handler.ASSISTANT
    assert not talk.messages.filter(text="Forged").exists()


def test_the_keyboard_alone_works(desk: Desk) -> None:
    desk.customer_writes("Good morning")
    page = desk.page_of("operator", LIST)
    page.get_by_role("link", name="Ann Lee").focus()
    page.keyboard.press("Enter")
    expect(bubble(page, "Good morning")).to_be_visible()
    tab_to(page, page.get_by_label("Your reply"))
    page.keyboard.type("Good morning to you")
    tab_to(page, button(page, "Send"))
    page.keyboard.press("Enter")
    expect(bubble(page, "Good morning to you")).to_contain_text("Queued")
    expect(page.get_by_text("Handled by our-operator")).to_be_visible()  # replying takes over


def tab_to(page: Page, goal: Locator, most: int = 60) -> None:
    """Using only the Tab key."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if goal.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"not reached by pressing Tab {most} times")


def test_someone_else_sees_who_handles_the_conversation(desk: Desk) -> None:
    desk.customer_writes("Hello")
    desk.businesses.people["second"] = person("second", ours=Role.OPERATOR)
    first, second = (desk.page_of(who, desk.path()) for who in ("operator", "second"))
    second.get_by_label("Your reply").fill("Me too")
    button(first, "Take over").click()
    expect(first.get_by_text("Handled by our-operator")).to_be_visible()
    # The open page learns it before anything is sent.
    expect(second.get_by_text(re.compile("our-operator is handling this conversation")).first).to_be_visible()
    expect(button(second, "Send")).to_have_count(0)
    assert not desk.talk().messages.filter(text="Me too").exists()
    second.on("dialog", lambda dialog: dialog.accept())
    button(second, "Take over").click()
    expect(second.get_by_text("Handled by second")).to_be_visible()
    expect(second.get_by_label("Your reply")).to_have_value("Me too")  # the refused reply is kept as a draft
    button(second, "Send").click()
    expect(bubble(second, "Me too")).to_contain_text("second")
    expect(second.get_by_label("Your reply")).to_have_value("")


def test_a_closed_window_says_why_no_reply_is_possible(desk: Desk) -> None:
    desk.customer_writes("Hello")
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    page = desk.page_of("operator", desk.path())
    expect(page.get_by_text("The 24-hour window has closed.")).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_count(0)
    expect(button(page, "Send")).to_have_count(0)


def test_it_fits_a_phone(desk: Desk) -> None:
    desk.customer_writes("A very long word: " + "x" * 300)
    desk.work()
    page = desk.page_of("operator", desk.path(), viewport=PHONE, has_touch=True, is_mobile=True)
    expect(bubble(page, "Answer to A very long word").last).to_be_visible()
    page.get_by_label("Your reply").fill("Short")
    expect(button(page, "Send")).to_be_in_viewport(ratio=1)
    button(page, "Send").tap()
    expect(bubble(page, "Short")).to_be_in_viewport()
    for path in (desk.path(), LIST, "/admin/"):
        page.goto(desk.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
