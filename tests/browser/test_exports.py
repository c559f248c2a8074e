"""An owner exports one person's data from their conversation, watches it being written, and downloads it."""

import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk

pytestmark = pytest.mark.browser


def test_exporting_a_person_from_their_conversation(desk: Desk) -> None:
    desk.customer_writes("Two cakes, please")
    desk.work()
    page = desk.page_of("owner", desk.path())
    page.get_by_text("About", exact=True).click()
    page.get_by_role("link", name="Export this person").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Counting")).to_be_visible()
    desk.work()
    link = page.get_by_role("link", name="Part 1")
    expect(link).to_be_visible()  # the page refreshes by itself
    with page.expect_download() as download:
        link.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "Two cakes, please" in archive.read("conversation_messages-1.json").decode()
