"""An owner uploads what the business knows, a customer asks, and the owner answers what the assistant couldn't.

Web, worker and sandbox are real processes, as in `make run`. The model answers only from its prompt.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from sandbox.model import reader
from tests.browser.conftest import WIDE
from tests.browser.test_notifications import LIST, desk_of
from tests.faults import postgres
from tests.faults.processes import PRODUCTION
from tests.faults.sandboxed import Sandboxed
from tests.faults.world import World
from tests.pdfs import pdf

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("phone and desk")]
OWNER = """
from django.contrib.auth.models import User
from tenants.models import Membership, Tenant
owner = User.objects.create_user("zoe", "zoe@example.test", "a-password", is_staff=True)
Membership.objects.create(tenant=Tenant.objects.single(), user=owner, role="owner")
"""
PRICES = b"Item,Price\nCarrot cake,28.00 EUR\nRye bread,4.20 EUR\nApple strudel,19.50 EUR"
PRICE_URL = "https://bakery.example/prices"
TOUR = "The oven room can be visited on Fridays at 3 pm."
UNKNOWN = "Do you repair bicycles?"
REPLY = "We don't repair bicycles, but the shop next door does."


@pytest.fixture(scope="module")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    folder = tmp_path_factory.mktemp("knowledge")
    with postgres.running({**postgres.plain_environment(), **PRODUCTION}) as server:
        settings = {"OPENAI_MODEL": reader.NAME, "MEDIA_FOLDER": str(folder / "media")}
        one = Sandboxed(World(server.create(), folder, "", **settings))
        try:
            one.world.run(OWNER)
            yield one
        finally:
            one.close()


@pytest.fixture
def pages(browser: Browser, parley: Sandboxed) -> Iterator[list[Page]]:
    """The owner's admin and the customers' phone."""
    base = f"http://127.0.0.1:{parley.world.port}"
    contexts = [browser.new_context(base_url=base, viewport=WIDE, reduced_motion="reduce") for _ in range(2)]
    for context in contexts:
        context.set_default_timeout(20_000)
    desk = desk_of(contexts[0], "zoe")
    phone = contexts[1].new_page()
    phone.goto("/sandbox/")
    yield [desk, phone]
    for context in contexts:
        context.close()


def ask(phone: Page, customer: str, text: str, answer: str) -> None:
    """A customer writes, and the newest message on the phone becomes the answer."""
    phone.get_by_role("button", name=customer).click()
    phone.get_by_label("Message", exact=True).fill(text)
    phone.keyboard.press("Enter")
    expect(phone.locator(".bubble.mine", has_text=text).last).to_be_visible()
    expect(phone.locator(".bubble").last).to_contain_text(answer, timeout=30_000)


def test_a_customer_asks_what_the_files_say_and_the_owner_answers_what_they_do_not(pages: list[Page]) -> None:
    desk, phone = pages

    # The owner uploads a price list and a PDF, and looks at what the assistant sees of one of them.
    desk.get_by_role("link", name="Knowledge").first.click()
    desk.get_by_role("link", name="Add knowledge").first.click()
    desk.get_by_role("link", name="File", exact=True).click()
    files: list[FilePayload] = [
        {"name": "Price list.csv", "mimeType": "text/csv", "buffer": PRICES},
        {"name": "Visits.pdf", "mimeType": "application/pdf", "buffer": pdf(TOUR)},
    ]
    desk.get_by_label("Files").set_input_files(files)
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.locator(".knowledge-words")).to_have_text(["Ready", "Ready"], timeout=30_000)
    expect(desk.get_by_text("All of it goes into each prompt")).to_be_visible()
    desk.locator("#result_list").get_by_role("link", name="Price list").click()
    expect(desk.get_by_text("Item: Carrot cake; Price: 28.00 EUR")).to_be_visible()
    desk.get_by_label("Link for customers").fill(PRICE_URL)
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.wait_for_url(re.compile("/admin/knowledge/source/$"))

    # A customer asks what the files say. Where the source is public, there's a link.
    ask(phone, "Ada Okafor", "How much is the carrot cake?", "28.00 EUR")
    priced = phone.locator(".bubble").last
    expect(priced).to_contain_text(f"Price list: {PRICE_URL}")
    expect(priced).not_to_contain_text("[")
    ask(phone, "Ada Okafor", "When can I visit the oven room?", TOUR)
    expect(phone.locator(".bubble").last).not_to_contain_text("http")

    # The desk shows the passages under the replies.
    desk.goto(LIST)
    desk.get_by_role("link", name="Ada Okafor").click()
    talk = desk.url
    sources = desk.get_by_label("Sources")
    expect(sources).to_have_count(2)
    sources.first.locator("summary").click()
    expect(sources.first).to_contain_text("Item: Carrot cake; Price: 28.00 EUR")
    expect(sources.last.locator("summary")).to_contain_text("Visits")

    # The customer asks something unknown and is offered a person. The owner replies.
    ask(phone, "Ada Okafor", UNKNOWN, "I don't know that. Shall I ask a colleague?")
    ask(phone, "Ada Okafor", "Yes, please", "A member of the team will reply")
    desk.get_by_role("button", name="Take over", exact=True).click()
    desk.get_by_label("Your reply").fill(REPLY)
    desk.get_by_role("button", name="Send", exact=True).click()
    expect(phone.locator(".bubble", has_text=REPLY)).to_be_visible()
    desk.get_by_role("button", name="Hand back", exact=True).click()
    expect(desk.get_by_text("Handled by the assistant")).to_be_visible()

    # The question is in the list, and what the owner replied becomes the answer.
    desk.get_by_role("link", name="Unanswered questions").click()
    question = desk.locator("section.page-panel")
    expect(question).to_have_count(1)
    expect(question.get_by_role("heading")).to_have_text(UNKNOWN)
    question.get_by_role("link", name="Answer", exact=True).click()
    expect(desk.get_by_label("Question", exact=True)).to_have_value(UNKNOWN)
    expect(desk.get_by_label("Answer", exact=True)).to_have_value(REPLY)
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.get_by_role("link", name="Unanswered questions").click()
    expect(desk.get_by_text("No unanswered questions.")).to_be_visible()

    # Whoever asks now gets it. The second customer's conversation doesn't contain it: it's known.
    ask(phone, "Ada Okafor", "So, do you repair bicycles?", REPLY)
    ask(phone, "Milo Ferrer", UNKNOWN, REPLY)
    desk.goto(LIST)
    desk.get_by_role("link", name="Milo Ferrer").click()
    expect(desk.get_by_label("Sources").locator("summary")).to_have_text(UNKNOWN)
    assert desk.url != talk
