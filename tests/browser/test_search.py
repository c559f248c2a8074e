"""Searching in a real browser: what is found is marked, and opens at its message."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from conversations.models import Conversation
from conversations.tests.rows import many_messages, message
from tests.browser.conftest import Desk
from tests.browser.test_agent import LIST
from tests.browser.test_inbox import row

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]


def test_a_result_opens_at_the_message_with_the_words_marked(desk: Desk) -> None:
    desk.customer_writes("Haben Sie Käsekuchen?")
    talk = Conversation.objects.get()
    many_messages(talk, 20)
    message(talk, "Wir hätten gern einen Käsekuchen, 蛋糕 und जन्मदिन", created_at=timezone.now())
    for number in range(70):
        message(talk, f"Newer {number}", created_at=timezone.now())
    page = desk.page_of("operator", LIST)
    for term, marked in (("kasekuchen", "Käsekuchen"), ("蛋糕", "蛋糕"), ("जन्मदिन", "जन्मदिन")):
        page.goto(f"{desk.url}{LIST}?q={term}")
        expect(row(page, "Ann Lee").locator("mark")).to_have_text(marked)
        row(page, "Ann Lee").get_by_role("link").click()
        found = page.locator(".desk-bubble", has_text="Wir hätten gern")
        expect(found).to_be_in_viewport()
        expect(found.locator("mark")).to_have_text(marked)
    page.goto(f"{desk.url}{LIST}?q=newer+60")
    row(page, "Ann Lee").get_by_role("link").click()
    expect(page.locator(".desk-bubble", has_text="Newer 60")).to_be_in_viewport()
    expect(page.get_by_label("Your reply")).to_be_visible()  # the newest page
