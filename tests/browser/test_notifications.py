"""A customer asks for a person: the operator's open tab, push, and email say so, and then the next in line is told.

Web, worker and sandbox are real processes, as in `make run`. Chromium can't subscribe to push without Google's service:
the keys are registered directly, and what arrived is brought to the service worker as a push service would.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from notifications.tests.outside import Device, MailServer, mail_server
from tests.faults import postgres
from tests.faults.processes import PRODUCTION, wait_until
from tests.faults.sandboxed import Sandboxed
from tests.faults.world import World
from webhooks.tests.receiver import Receiver, receiving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("phone and desk")]
CHROMIUM = ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]
LIST = "/admin/conversations/conversation/"
PEOPLE = """
from django.contrib.auth.models import User
from notifications.models import PushSubscription
from tenants.models import Membership, Tenant
for name, role in (("oli", "operator"), ("zoe", "owner")):
    user = User.objects.create_user(name, f"{{name}}@example.test", "a-password", is_staff=True)
    Membership.objects.create(tenant=Tenant.objects.single(), user=user, role=role)
PushSubscription.objects.create(user=User.objects.get(username="oli"), device="Chrome", **{device})
"""
# Notes what the page does instead of disturbing whoever runs the tests.
SPIES = """
window.sounds = 0;
window.shown = [];
const Real = window.AudioContext;
window.AudioContext = class extends Real {
    createOscillator() { window.sounds += 1; return super.createOscillator(); }
};
window.Notification = class {
    static permission = "granted";
    static async requestPermission() { return "granted"; }
    constructor(title, options) { window.shown.push({ title, ...options }); }
    close() {}
};
"""


@dataclass
class Outside:
    """The services that Parley calls: a push service and a mail server; and the operator's phone."""

    push: Receiver
    mail: MailServer
    device: Device


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with receiving() as push, mail_server() as mail:
        yield Outside(push, mail, Device(push.url))


@pytest.fixture(scope="module")
def parley(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    folder = tmp_path_factory.mktemp("notifications")
    with postgres.running({**postgres.plain_environment(), **PRODUCTION}) as server:
        settings = {
            "EMAIL_URL": outside.mail.url,
            "WEBHOOKS_ALLOW_PRIVATE": "true",
            "MEDIA_FOLDER": str(folder / "media"),
        }
        one = Sandboxed(World(server.create(), folder, "", **settings))
        try:
            one.world.run(PEOPLE.format(device=outside.device.form))
            yield one
        finally:
            one.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def contexts(browser: Browser, parley: Sandboxed) -> Iterator[list[BrowserContext]]:
    """Of the operator and of the customer."""
    base = f"http://127.0.0.1:{parley.world.port}"
    opened = [browser.new_context(base_url=base, viewport={"width": 1440, "height": 900}) for _ in range(2)]
    for context in opened:
        context.set_default_timeout(20_000)
    yield opened
    for context in opened:
        context.close()


def desk_of(context: BrowserContext, name: str) -> Page:
    page = context.new_page()
    page.goto("/admin/")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill("a-password")
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(re.compile("/admin/(conversations/conversation/)?$"))
    page.goto(LIST)
    return page


def test_a_customer_asks_for_a_person(contexts: list[BrowserContext], parley: Sandboxed, outside: Outside) -> None:
    operators, customers = contexts
    operators.add_init_script(SPIES)
    desk = desk_of(operators, "oli")
    expect(desk).to_have_title("Conversations | Parley")

    phone = customers.new_page()
    phone.goto("/sandbox/")
    phone.get_by_role("button", name="Ada Okafor").click()
    phone.get_by_label("Message", exact=True).fill("I want to speak to a human, please.")
    phone.keyboard.press("Enter")

    # In the tab that has been open all the time.
    expect(desk).to_have_title("(1) Conversations | Parley", timeout=30_000)
    desk.wait_for_function("window.sounds > 0")
    desk.wait_for_function("window.shown.length === 1")
    shown = desk.evaluate("window.shown[0]")
    assert shown["title"] == "Ada Okafor needs an agent"
    assert "Asked for a person" in shown["body"]
    expect(desk.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:image/png"))

    # On the operator's phone.
    assert outside.push.wait()
    pushed = outside.device.read(outside.push.got[0][1])
    assert pushed["title"] == "Ada Okafor needs an agent"
    assert delivered_to_the_service_worker(operators, desk, json.dumps(pushed)) == "Ada Okafor needs an agent"

    # By email.
    wait_until(lambda: outside.mail.emails, what="no email arrived")
    (email,) = outside.mail.emails
    assert (email["To"], email["Subject"]) == ("oli@example.test", "[My business] Ada Okafor needs an agent")
    (conversation,) = parley.world.rows("SELECT id FROM conversations")
    path = f"{LIST}{conversation['id']}/change/"
    assert f":{parley.world.port}{path}" in email.get_content()

    # Nobody reacts, and the time is up.
    parley.world.database.execute("UPDATE notification_incidents SET due_at = now()")
    wait_until(lambda: len(outside.mail.emails) > 1, what="the owner wasn't told")
    assert [each["To"] for each in outside.mail.emails] == ["oli@example.test", "zoe@example.test"]

    # The operator reacts: there's nothing more to do for anyone.
    desk.get_by_role("link", name="Ada Okafor").click()
    expect(desk).to_have_title("Ada Okafor | Parley")
    expect(desk.locator("link[rel=icon]")).not_to_have_attribute("href", re.compile("^data:"))
    assert desk.evaluate("window.shown.length") == 1
    assert parley.world.one("SELECT count(*) FROM notification_deliveries WHERE is_open") == 0


def delivered_to_the_service_worker(context: BrowserContext, page: Page, data: str) -> str:
    """What the service worker shows of a push message: the title."""
    context.grant_permissions(["notifications"])
    cdp = context.new_cdp_session(page)
    registrations: list[str] = []
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(each["registrationId"] for each in event["registrations"]),
    )
    cdp.send("ServiceWorker.enable")
    page.evaluate(
        """async () => {
            await navigator.serviceWorker.register("/service-worker.js", { scope: "/admin/" });
            await navigator.serviceWorker.ready;
        }"""
    )
    origin = re.sub("(?<=[^/])/[^/].*", "", page.url)
    cdp.send("ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": registrations[-1], "data": data})
    title = page.evaluate(
        """async () => {
            const registration = await navigator.serviceWorker.getRegistration("/admin/");
            for (let attempts = 0; attempts < 600; attempts += 1) {
                const [shown] = await registration.getNotifications();
                if (shown) return shown.title;
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
        }"""
    )
    return str(title)


def test_the_operator_sees_who_is_told_and_tests_each_channel(
    contexts: list[BrowserContext], parley: Sandboxed, outside: Outside
) -> None:
    operators, _ = contexts
    operators.add_init_script(SPIES)
    page = desk_of(operators, "oli")
    page.get_by_role("link", name="My notifications").click()
    expect(page.get_by_text("Desktop notifications are on in this browser.")).to_be_visible()
    page.locator("#desktop-test").click()
    page.wait_for_function("window.sounds > 0 && window.shown.length === 1")
    emails, pushes = len(outside.mail.emails), len(outside.push.got)
    page.locator("form[action$='test/email/'] button").click()
    expect(page.get_by_text("We've sent an email to oli@example.test.")).to_be_visible()
    page.locator("form[action$='test/push/'] button").click()
    expect(page.get_by_text("We've sent a push message to your device.")).to_be_visible()
    assert (len(outside.mail.emails), len(outside.push.got)) == (emails + 1, pushes + 1)
