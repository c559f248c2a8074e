"""Chromium, a business with its users, and a live server with the webhook and a worker."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
import pytest
from django.db import connections
from django.test import override_settings
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright
from pytest_django.live_server_helper import LiveServer

from conversations.models import Conversation, ConversationMessage
from tenants.tests.people import TwoBusinesses
from tests.browser.bakery import Bakery, open_bakery
from tests.stage import SECRET, WEBHOOK, Stage
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import PHONE_NUMBER_ID, change, contact, delivery, inbound, status, text_message
from whatsapp.webhook.signature import sign

Result = TypeVar("Result")
SESSION = "sessionid"
WIDE, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)


@pytest.fixture(scope="session", autouse=True)
def _no_collected_files() -> Iterator[None]:
    """Whitenoise would warn about a folder that only `collectstatic` creates."""
    with override_settings(WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One per module: Playwright's event loop would interfere with asynchronous tests elsewhere. It runs in this
    thread, where Django would refuse to query the database, although no coroutine of ours does.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        # A container has no room for Chromium's sandbox and little shared memory.
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()


@dataclass
class Desk:
    """One business: its customers' messages, and the people who read them."""

    url: str
    stage: Stage
    browser: Browser
    businesses: TwoBusinesses
    contexts: list[BrowserContext] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def page_of(self, who: str, path: str = "/admin/", **options: Any) -> Page:
        """A window in which this person is signed in (a role, or another key of `businesses.people`)."""
        context = self.window(**options)
        cookie = self.businesses.browser(who).cookies[SESSION].value
        context.add_cookies([{"name": SESSION, "value": cookie, "url": self.url}])
        page = context.new_page()
        page.goto(self.url + path)
        return page

    def window(self, **options: Any) -> BrowserContext:
        """A browser of its own, which reports every error."""
        context = self.browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **options})
        context.on("weberror", lambda error: self.problems.append(str(error.error)))
        context.on("console", lambda line: self.problems.append(line.text) if line.type == "error" else None)
        self.contexts.append(context)
        return context

    def talk(self) -> Conversation:
        return Conversation.objects.get()

    def path(self, conversation: Conversation | None = None) -> str:
        return f"/admin/conversations/conversation/{(conversation or self.talk()).pk}/change/"

    # --- Meta and the worker ---

    def post(self, data: object) -> None:
        """Meta posts this to the live server."""
        body = json.dumps(data).encode()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(body, SECRET)}
        assert httpx2.post(self.url + WEBHOOK, content=body, headers=headers).json() == {"ok": True}

    def customer_writes(self, text: str, name: str = "Ann Lee", number: str = "79001234567") -> None:
        self.post(inbound(text_message(text, sender=number), contacts=[contact(name, number)]))

    def becomes(self, word: str) -> None:
        """Meta reports the status of our newest message."""
        newest = ConversationMessage.objects.filter(role="assistant").latest("pk")
        self.post(delivery(change(statuses=[status(word, wamid=newest.external_id)])))

    def work(self) -> None:
        """Do what is due, in another thread, because Playwright's loop runs in this one."""
        _elsewhere(self.stage.work)


def _elsewhere(work: Callable[[], Result]) -> Result:
    def run() -> Result:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


@pytest.fixture
def desk(live_server: LiveServer, stage: Stage, browser: Browser, settings: Any) -> Iterator[Desk]:
    settings.MULTITENANT_ENABLED = True
    businesses = TwoBusinesses()
    WhatsAppAccount.objects.create(
        tenant=businesses.ours,
        phone_number_id=PHONE_NUMBER_ID,
        display_phone_number="+1 555 010 0200",
        access_token="token-of-ours",
    )
    opened = Desk(live_server.url, stage, browser, businesses)
    yield opened
    for context in opened.contexts:
        context.close()
    assert opened.problems == []


@pytest.fixture
def bakery(desk: Desk) -> Bakery:
    people = desk.businesses.people
    return open_bakery(desk.businesses.ours, people["operator"], WhatsAppAccount.objects.get())
