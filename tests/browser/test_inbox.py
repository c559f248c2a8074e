"""The inbox in a real browser: two panes that stay up to date, keys, and a session that ends while someone writes."""

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Locator, Page, Route, expect

from conversations import handover
from conversations.models import Conversation, DeskPreferences
from tests.browser.conftest import PHONE, Desk
from tests.browser.test_agent import LIST, bubble, button

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


def row(page: Page, name: str) -> Locator:
    return page.locator("#inbox-rows li", has_text=name)


def mark_document(page: Page) -> None:
    page.evaluate("document.body.dataset.sameDocument = 'yes'")


def is_same_document(page: Page) -> bool:
    return bool(page.evaluate("document.body.dataset.sameDocument === 'yes'"))


def flag(name: str, reason: str) -> None:
    handover.mark_needs_person([Conversation.objects.get(contact_name=name).pk], reason)


def test_the_list_stays_beside_the_conversation_and_both_update(desk: Desk) -> None:
    desk.customer_writes("Hello")
    desk.customer_writes("Good morning", "Bo Berg", "4915112345")
    page = desk.page_of("operator", LIST)
    mark_document(page)
    row(page, "Ann Lee").get_by_role("link").click()
    expect(bubble(page, "Hello")).to_be_visible()
    expect(row(page, "Ann Lee").get_by_role("link")).to_have_attribute("aria-current", "true")
    expect(row(page, "Bo Berg")).to_be_visible()

    # Something happens in another conversation, in this one, and in a new one.
    page.get_by_label("Your reply").fill("A draft for Ann")
    desk.customer_writes("Is anybody there?", "Bo Berg", "4915112345")
    expect(row(page, "Bo Berg")).to_contain_text("Is anybody there?")
    flag("Bo Berg", "The customer asked for a person.")
    expect(row(page, "Bo Berg")).to_contain_text("The customer asked for a person.")
    expect(page.locator(".inbox-tab", has_text="Needs an agent")).to_contain_text("1")
    desk.customer_writes("Without sugar, please")
    expect(bubble(page, "Without sugar, please")).to_be_in_viewport()
    desk.customer_writes("I am new here", "Cleo Dahl", "4915154321")
    expect(row(page, "Cleo Dahl")).to_contain_text("I am new here")
    expect(page.get_by_label("Your reply")).to_have_value("A draft for Ann")

    page.get_by_role("link", name="Needs an agent").click()
    expect(row(page, "Cleo Dahl")).to_have_count(0)
    expect(row(page, "Bo Berg").get_by_title("unread")).to_have_text("2")
    row(page, "Bo Berg").get_by_role("link").click()
    expect(bubble(page, "Is anybody there?")).to_be_visible()
    expect(row(page, "Bo Berg").get_by_title("unread")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/change/\?tab=needs$"))
    expect(page.get_by_label("Your reply")).to_have_value("")
    button(page, "Take over").click()
    expect(page.get_by_text("Handled by our-operator")).to_be_visible()
    button(page, "Mark as handled").click()
    expect(page.get_by_text("No one is waiting.")).to_be_visible()
    page.go_back()
    expect(bubble(page, "Without sugar, please")).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_value("A draft for Ann")
    expect(page).to_have_url(re.compile(r"\?tab=needs$"))
    assert is_same_document(page)


def test_an_agent_handles_ten_conversations_with_the_keyboard_alone(desk: Desk) -> None:
    people = [f"Guest {letter}" for letter in "ABCDEFGHIJ"]
    for number, name in enumerate(people):
        desk.customer_writes(f"I am {name}", name, f"491510000{number}")
        flag(name, "The customer asked for a person.")
    DeskPreferences.objects.create(user=desk.businesses.people["operator"], enter_sends=True)
    page = desk.page_of("operator", f"{LIST}?tab=needs")
    mark_document(page)
    pressed = 0

    def press(keys: str) -> None:
        nonlocal pressed
        page.keyboard.press(keys)
        pressed += len(keys.split("+"))

    press("j")
    for number, name in enumerate(people):
        if number:
            press("Alt+ArrowDown")
        expect(bubble(page, f"I am {name}")).to_be_visible()
        if not number:
            expect(row(page, name).get_by_role("link")).to_be_focused()
            press("r")
        expect(page.get_by_label("Your reply")).to_be_focused()
        page.keyboard.type(f"Hello {name}, I am a person.")
        press("Enter")
        expect(bubble(page, f"Hello {name}")).to_contain_text("Queued")
        expect(page.get_by_label("Your reply")).to_be_focused()
        expect(page.get_by_label("Your reply")).to_have_value("")
        expect(row(page, name)).to_have_count(0)  # answered, so it no longer needs an agent
    expect(page.get_by_text("No one is waiting.")).to_be_visible()
    press("Escape")
    press("h")
    expect(page.get_by_text("Handled by the assistant")).to_be_visible()
    press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    assert is_same_document(page)
    expect(page).to_have_url(re.compile(r"\?tab=needs$"))
    assert Conversation.objects.exclude(needs_person="").count() == 0
    assert pressed < 40


def test_a_message_that_was_sent_leaves_the_box_and_what_was_written_meanwhile_stays(desk: Desk) -> None:
    """Even if the answer to another button replaces the box while the message is on its way."""
    desk.customer_writes("Hello")
    page = desk.page_of("operator", desk.path())
    on_their_way: list[Route] = []
    page.route("**/reply/**", lambda route: on_their_way.append(route))
    page.get_by_label("Your reply").fill("First.")
    button(page, "Send").click()
    button(page, "Take over").click()
    expect(page.get_by_text("Handled by our-operator")).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_value("First.")  # nobody knows yet whether it arrives
    page.get_by_label("Your reply").fill("First. And then")
    on_their_way[0].continue_()
    expect(bubble(page, "First.")).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_value("And then")
    page.unroute("**/reply/**")
    button(page, "Send").click()
    expect(bubble(page, "And then")).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_value("")


def test_marks_several_as_handled(desk: Desk) -> None:
    for number, name in enumerate(["Ann Lee", "Bo Berg", "Cleo Dahl"]):
        desk.customer_writes("Hello", name, f"491510000{number}")
        flag(name, "The model failed.")
    page = desk.page_of("operator", f"{LIST}?tab=needs")
    mark_document(page)
    page.get_by_label("Select Bo Berg").check()
    page.get_by_label("Select Cleo Dahl").check()
    desk.customer_writes("Are you there?", "Ann Lee", "4915100000")
    expect(row(page, "Ann Lee")).to_contain_text("Are you there?")
    expect(page.get_by_label("Select Bo Berg")).to_be_checked()  # an update keeps the selection
    button(page, "Mark as handled").click()
    expect(row(page, "Bo Berg")).to_have_count(0)
    expect(row(page, "Ann Lee")).to_be_visible()
    assert is_same_document(page)
    assert Conversation.objects.exclude(needs_person="").get().contact_name == "Ann Lee"


def test_nothing_is_lost_when_the_session_ends(desk: Desk) -> None:
    desk.customer_writes("Hello")
    page = desk.page_of("operator", desk.path())
    mark_document(page)
    page.get_by_label("Your reply").fill("The beginning")
    Session.objects.all().delete()
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("Your session has expired. Your text is kept.")
    page.keyboard.type(" and the end")
    button(page, "Send").click()
    expect(banner).to_contain_text("Your session has expired.")
    expect(page.get_by_label("Username")).to_have_count(0)
    expect(page.get_by_label("Your reply")).to_have_value("The beginning and the end")

    agent = desk.businesses.people["operator"]
    agent.set_password("a-long-password-42")
    agent.save()
    with page.context.expect_page() as opened:
        banner.get_by_role("link", name="Log in in a new tab").click()
    login = opened.value
    login.get_by_label("Username").fill(agent.username)
    login.get_by_label("Password").fill("a-long-password-42")
    login.keyboard.press("Enter")
    login.wait_for_url(re.compile("/admin/conversations/conversation/$"))
    expect(banner).to_be_hidden(timeout=10_000)
    button(page, "Send").click()
    expect(bubble(page, "The beginning and the end")).to_contain_text("Queued")
    expect(page.get_by_label("Your reply")).to_have_value("")
    assert is_same_document(page)


def test_a_reply_whose_response_gets_lost_is_sent_once(desk: Desk) -> None:
    desk.customer_writes("Hello")
    page = desk.page_of("operator", desk.path())

    def lose(route: Route) -> None:
        route.fetch()  # it arrives, but the browser doesn't learn that
        route.abort()

    page.route("**/reply/*", lose)
    page.route("**/reply/", lose)
    page.get_by_label("Your reply").fill("I am here")
    button(page, "Send").click()
    expect(page.get_by_role("alert")).to_contain_text("Your text is kept.")
    desk.problems.clear()  # the browser's own complaint about the lost response
    page.unroute_all()
    expect(page.get_by_text("Handled by our-operator")).to_be_visible()  # the composer is another one by now
    expect(page.get_by_label("Your reply")).to_have_value("I am here")
    page.reload()
    expect(page.get_by_label("Your reply")).to_have_value("I am here")
    button(page, "Send").click()
    expect(page.get_by_label("Your reply")).to_have_value("")
    assert desk.talk().messages.filter(role="assistant").count() == 1
    page.get_by_label("Your reply").fill("I am here")
    button(page, "Send").click()
    expect(bubble(page, "I am here")).to_have_count(2)  # a new message may say the same


def test_on_a_phone_the_list_and_the_conversation_take_turns(desk: Desk) -> None:
    desk.customer_writes("Hello " * 30)
    desk.customer_writes("Good morning", "Bo Berg", "4915112345")
    flag("Bo Berg", "The customer asked for a person.")
    page = desk.page_of("operator", LIST, viewport=PHONE, has_touch=True, is_mobile=True)
    plain, flagged = (row(page, name).bounding_box() for name in ("Ann Lee", "Bo Berg"))
    assert plain
    assert flagged
    assert abs(plain["height"] - flagged["height"]) < 4  # two lines each
    row(page, "Bo Berg").get_by_role("link").tap()
    expect(bubble(page, "Good morning")).to_be_visible()
    expect(row(page, "Bo Berg")).to_be_hidden()
    page.get_by_role("link", name="All conversations").tap()
    expect(row(page, "Bo Berg")).to_be_visible()
    expect(bubble(page, "Good morning")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
