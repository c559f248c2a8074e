"""Knowledge in the browser: an owner adds files and a question, and watches how they're read."""

import re

import pytest
from playwright.sync_api import FilePayload, expect

from knowledge.models import Source
from tests.browser.conftest import Desk

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]
LIST = "/admin/knowledge/source/"


def file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": content}


def test_an_owner_adds_files_and_watches_how_they_are_read(desk: Desk) -> None:
    page = desk.page_of("owner", LIST)
    page.get_by_role("link", name="Add knowledge").first.click()
    page.get_by_role("link", name="File", exact=True).click()
    page.get_by_label("Files").set_input_files(
        [file("prices.csv", b"Cake,Price\nApple,24.00"), file("empty.txt", b" ")]
    )
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The assistant will read all 2 files.")).to_be_visible()
    status = page.locator(".knowledge-words")
    expect(status).to_have_text(["Waiting to be read", "Waiting to be read"])
    desk.work()
    expect(status).to_have_text(["Couldn't be read:", "Ready"])
    expect(page.get_by_text("It contains no text.")).to_be_visible()
    expect(page.get_by_text("All of it goes into each prompt")).to_be_visible()

    page.locator("#result_list").get_by_role("link", name="prices").click()
    expect(page.get_by_text("Cake: Apple; Price: 24.00")).to_be_visible()
    page.get_by_role("button", name="Read again now").click()
    expect(page.get_by_role("status")).to_have_text(re.compile("Waiting to be read"))
    desk.work()
    expect(page.get_by_role("status")).to_have_text("Ready")
    assert Source.objects.filter(state="ready").count() == 1


def test_an_owner_imports_questions(desk: Desk) -> None:
    page = desk.page_of("owner", f"{LIST}import/")
    faq = file("faq.csv", b"question;answer\nParking?;Behind the shop.")
    page.get_by_label("CSV or JSON file").set_input_files(faq)
    page.get_by_role("button", name="Show what it changes").click()
    expect(page.get_by_text("1 new, 0 changed, 0 unchanged")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported: 1 new, 0 changed.")).to_be_visible()
    expect(page.get_by_role("link", name="Parking?")).to_be_visible()
