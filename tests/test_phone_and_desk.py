"""The phone and the desk show the same. Web, worker and sandbox run as in `make run`."""

import io
import re
from collections.abc import Iterator

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FilePayload, Locator, Page, TimeoutError, expect, sync_playwright

from tests.faults import postgres
from tests.faults.processes import PRODUCTION
from tests.faults.sandboxed import Sandboxed
from tests.faults.world import World

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("phone and desk")]
CHROMIUM = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    # A microphone that beeps, without a permission prompt.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
SAID = "Could it say Happy Birthday Leo?"
PREPARE = """
from django.contrib.auth.models import User
from assistant.models import Assistant
from tenants.models import Tenant
User.objects.create_superuser("sam", "sam@example.test", "a-password")
instructions = "You are the assistant of Harbour Bakery."
Assistant.objects.create(tenant=Tenant.objects.single(), instructions=instructions, sees_images=True)
"""


@pytest.fixture(scope="module")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    folder = tmp_path_factory.mktemp("phone")
    with postgres.running({**postgres.plain_environment(), **PRODUCTION}) as server:
        one = Sandboxed(World(server.create(), folder, MEDIA_FOLDER=folder / "media"))
        try:
            one.world.run(PREPARE)
            one.http.get("/").raise_for_status()  # creates the first people, before a test adds others
            yield one
        finally:
            one.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield opened
        opened.close()


class Tabs:
    """Pages of one person's browser, with the errors that occur in them."""

    def __init__(self, browser: Browser, port: int) -> None:
        base = f"http://127.0.0.1:{port}"
        self.context = browser.new_context(base_url=base, viewport={"width": 1440, "height": 900})
        self.context.set_default_timeout(20_000)
        self.problems: list[str] = []

    def open(self, address: str) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error.stack}"))
        page.on(
            "console",
            lambda line: self.problems.append(f"{line.text} {line.location}") if line.type == "error" else None,
        )
        page.goto(address)
        return page

    def phone(self, who: str) -> "Phone":
        page = self.open("/sandbox/")
        button = page.get_by_role("button", name=who)
        try:
            button.wait_for()
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{page.url}\n{page.inner_text('body')}\n{self.problems}") from error
        button.click()
        expect(page.get_by_role("button", name=who)).to_have_attribute("aria-current", "true")
        return Phone(page)

    def desk(self) -> Page:
        page = self.open("/admin/")
        page.locator("[name=username]").fill("sam")
        page.locator("[name=password]").fill("a-password")
        page.locator("[name=password]").press("Enter")
        page.wait_for_url(re.compile("/admin/$"))
        return page


@pytest.fixture
def tabs(browser: Browser, parley: Sandboxed) -> Iterator[Tabs]:
    opened = Tabs(browser, parley.world.port)
    yield opened
    opened.context.close()
    assert opened.problems == []


class Phone:
    def __init__(self, page: Page) -> None:
        self.page = page

    def write(self, text: str) -> None:
        self.page.get_by_label("Message", exact=True).fill(text)
        self.page.keyboard.press("Enter")

    def attach(self, what: str, file: FilePayload) -> None:
        self.page.get_by_label("Attach").click()
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("menuitem", name=what).click()
        chooser.value.set_files(file)

    def record(self, says: str) -> None:
        self.page.get_by_label("Record a voice note").click()
        self.page.get_by_label("What the voice note says").fill(says)
        expect(self.page.locator("#record-time")).to_have_text(re.compile("0:0[1-9]"))
        self.page.get_by_label("Send voice note").click()

    def menu(self, bubble: Locator, entry: str) -> None:
        bubble.hover()
        bubble.locator(".more").click()
        self.page.locator("#bubble-menu").get_by_text(entry).click()

    def bubble(self, side: str, words: str) -> Locator:
        return self.page.locator(f".bubble.{side}", has_text=words)

    def replies(self, count: int) -> Locator:
        """The business's newest bubble, once there are this many."""
        theirs = self.page.locator(".bubble.theirs")
        expect(theirs).to_have_count(count, timeout=30_000)
        return theirs.last


def cake() -> bytes:
    """Something that vaguely looks like a photo of a cake."""
    picture = Image.new("RGB", (900, 675), "#e9d8c4")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((120, 470, 780, 610), fill="#c9b29a")
    for top, color in ((330, "#7a4a2b"), (385, "#f6e7d2"), (410, "#7a4a2b"), (465, "#f6e7d2"), (490, "#7a4a2b")):
        draw.rectangle((220, top, 680, top + 55), fill=color)
    draw.rounded_rectangle((205, 280, 695, 350), radius=34, fill="#fff6f2")
    for x in range(250, 680, 80):
        draw.rectangle((x, 200, x + 14, 282), fill="#d4527a")
        draw.ellipse((x - 4, 168, x + 18, 204), fill="#f4a52c")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


def is_shown(picture: Locator) -> None:
    """Not only present: it was loaded and is an image."""
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("each => each.naturalWidth") > 1


def test_what_a_person_does_with_the_phone_is_seen_at_the_desk(tabs: Tabs) -> None:
    phone = tabs.phone("Ada Okafor")
    phone.write("Hello, I am Ada. Do you bake cakes?")
    expect(phone.replies(1)).to_contain_text("Harbour Bakery")
    phone.attach("Photo", {"name": "cake.jpg", "mimeType": "image/jpeg", "buffer": cake()})
    is_shown(phone.page.locator("img.photo"))
    expect(phone.replies(2)).to_contain_text("picture")
    phone.record(SAID)
    expect(phone.page.locator(".bubble audio")).to_be_visible()
    expect(phone.replies(3)).to_contain_text("Happy Birthday Leo")
    phone.menu(phone.bubble("theirs", "Happy Birthday Leo"), "❤️")
    expect(phone.page.locator(".bubble.theirs .reactions")).to_have_text("❤️")
    phone.write("Never mind the price.")
    phone.replies(4)
    phone.menu(phone.bubble("mine", "Never mind the price."), "Delete for everyone")
    expect(phone.page.get_by_text("You deleted this message")).to_be_visible()
    expect(phone.page.locator(".bubble.mine [aria-label=Read]").first).to_be_visible()
    expect(phone.page.locator(".bubble audio")).not_to_have_js_property("readyState", 0)

    desk = tabs.desk()
    desk.goto("/admin/conversations/conversation/")
    desk.get_by_role("link", name="Ada Okafor").click()
    expect(desk.locator(".desk-bubble", has_text="Do you bake cakes?")).to_be_visible()
    is_shown(desk.locator(".desk-bubble img"))
    note = desk.locator(".desk-bubble", has=desk.locator("audio"))
    expect(note).to_contain_text(SAID)
    expect(desk.locator(".desk-out", has_text="Happy Birthday Leo").locator(".desk-reactions")).to_have_text("❤️")
    expect(desk.get_by_text("This message was deleted")).to_be_visible()
    expect(desk.get_by_text("Never mind the price.", exact=True)).to_have_count(0)
    expect(desk.locator(".desk-out .desk-tick-read")).to_have_count(4)
    desk.locator(".desk-bubble img").scroll_into_view_if_needed()


def test_the_desk_answers_with_a_file_and_the_phone_shows_it_at_once(tabs: Tabs, parley: Sandboxed) -> None:
    parley.http.post("/phone/customers", json={"name": "Noor Haddad", "phone": "+1 555 765 4321"})
    phone = tabs.phone("Noor Haddad")
    phone.write("May I see a picture of the cake?")
    phone.replies(1)
    desk = tabs.desk()
    desk.goto("/admin/conversations/conversation/")
    desk.get_by_role("link", name="Noor Haddad").click()
    desk.locator("[name=file]").set_input_files({"name": "cake.jpg", "mimeType": "image/jpeg", "buffer": cake()})
    desk.locator("form:has([name=file]) [name=text]").fill("Here it is.")
    desk.locator("form:has([name=file])").get_by_role("button", name=re.compile("^Send")).click()
    expect(phone.replies(2)).to_contain_text("Here it is.")
    is_shown(phone.page.locator(".bubble.theirs img.photo"))
    is_shown(desk.locator(".desk-out img"))

    desk.get_by_role("link", name="Send buttons").click()
    buttons = desk.get_by_role("form", name="Reply buttons")
    buttons.get_by_label("Text").fill("When will you fetch it?")
    buttons.get_by_label("Buttons").fill("Saturday\nSunday")
    buttons.get_by_role("button", name="Send").click()
    phone.page.get_by_role("button", name="Sunday").click()
    expect(desk.locator(".desk-in", has_text="Sunday")).to_be_visible()


def test_every_tab_is_a_phone_of_its_own(tabs: Tabs) -> None:
    ada, milo = tabs.phone("Ada Okafor"), tabs.phone("Milo Ferrer")
    milo.write("It is Milo who writes this.")
    ada.write("It is Ada who writes this.")
    for phone, own, other in ((ada, "Ada", "Milo"), (milo, "Milo", "Ada")):
        expect(phone.bubble("mine", f"It is {own} who")).to_be_visible()
        expect(phone.bubble("theirs", f"It is {own} who")).to_be_visible(timeout=30_000)
        expect(phone.page.locator(".bubble", has_text=f"It is {other} who")).to_have_count(0)
        phone.page.reload()
        expect(phone.bubble("mine", f"It is {own} who")).to_be_visible()
