"""One banner and one notification for each cause, however many conversations it holds up."""

import re
from typing import Any

import httpx2
import pytest

from assistant import budget
from assistant.models import Assistant
from assistant.turns.policy import add_tokens
from conversations.models import Conversation, Pause
from conversations.outbox import queue as outbox
from conversations.tests.open_page import LIST, OpenPage
from notifications import telling
from notifications.models import NotificationIncident, NotificationSettings
from notifications.tests.line import told
from operations import causes
from tenants.models import Tenant
from tenants.tests.people import Role, TwoBusinesses, person
from tests.stage import Stage, graph_error
from webhooks.models import EventType, WebhookEndpoint
from webhooks.signature import new_secret
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import PHONE_NUMBER_ID, inbound, text_message


@pytest.fixture
def team(stage: Stage, settings: Any) -> TwoBusinesses:
    """A business whose number and key are its own."""
    settings.MULTITENANT_ENABLED = True
    settings.RETRY_TIME_SCALE = 1
    businesses = TwoBusinesses()
    WhatsAppAccount.objects.create(
        tenant=businesses.ours,
        phone_number_id=PHONE_NUMBER_ID,
        display_phone_number="+1 555 010 0200",
        access_token="token-of-ours",
    )
    Assistant.objects.create(tenant=businesses.ours, api_key="sk-of-ours")
    return businesses


def customers_write(stage: Stage, count: int = 3) -> None:
    for number in range(count):
        stage.converse(inbound(text_message("Hello", sender=f"4915100{number}")))


def break_the_token(stage: Stage) -> None:
    stage.wire.graph = lambda body: graph_error(190, 401)
    customers_write(stage)
    assert Conversation.objects.exclude(needs_person="").count() == 3


def break_the_key(stage: Stage) -> None:
    stage.wire.model = lambda body: httpx2.Response(401, json={"error": {"message": "no", "code": "invalid_api_key"}})
    customers_write(stage)
    assert Conversation.objects.exclude(needs_person="").count() == 3


def banners(team: TwoBusinesses, who: str, page: str = "/admin/") -> list[str]:
    text = team.browser(who).get(page).content.decode()
    return re.findall(r'<div class="cause".*?\n</div>', text, re.DOTALL)


def close_and_tell() -> None:
    causes.notify()
    telling.tell_due()


@pytest.mark.parametrize("page", ["/admin/", LIST])
def test_a_refused_token_is_one_banner_with_its_remedy_and_its_button(
    stage: Stage, team: TwoBusinesses, page: str
) -> None:
    break_the_token(stage)
    (banner,) = banners(team, "owner", page)
    assert "Messages from +1 555 010 0200 aren&#x27;t being sent" in banner
    assert "Save a valid permanent token" in banner
    assert "3 messages waiting" in banner
    resume = re.search(r'method="post" action="([^"]+)"', banner)
    assert resume
    (operators,) = banners(team, "operator", page)
    assert "Tell an owner of your business." in operators
    assert "<form" not in operators
    assert banners(team, "viewer", page) == []
    assert banners(team, "stranger", page) == []
    stage.wire.graph = None
    assert team.browser("owner").post(resume[1]).status_code == 302
    stage.work()
    assert banners(team, "owner", page) == []
    assert Conversation.objects.exclude(needs_person="").count() == 0


def test_the_dashboard_counts_what_is_held(stage: Stage, team: TwoBusinesses) -> None:
    break_the_token(stage)
    held = {who: team.browser(who).get("/admin/").context["dashboard"]["held"] for who in ("owner", "stranger")}
    assert held == {"owner": 3, "stranger": 0}


def test_a_number_without_a_token_is_a_cause_though_nothing_is_paused(stage: Stage, team: TwoBusinesses) -> None:
    WhatsAppAccount.objects.update(access_token="")
    customers_write(stage)
    assert not Pause.objects.exists()
    (banner,) = banners(team, "owner")
    assert "has no access token" in banner


def test_a_refused_key_is_one_banner_with_its_remedy_and_its_button(stage: Stage, team: TwoBusinesses) -> None:
    break_the_key(stage)
    (banner,) = banners(team, "owner")
    assert "the model&#x27;s service rejected the API key" in banner
    assert "Enter a valid one" in banner
    assert f'action="/admin/assistant/assistant/{Assistant.objects.get().pk}/resume/"' in banner


def test_the_installations_key_is_for_its_superuser(stage: Stage, team: TwoBusinesses) -> None:
    Assistant.objects.all().delete()
    break_the_key(stage)
    assert "Tell whoever runs this installation." in banners(team, "owner")[0]
    (banner,) = banners(team, "superuser")  # though it concerns both businesses
    assert "Resume" in banner


def test_without_a_key_there_is_no_pause_but_a_banner(stage: Stage, team: TwoBusinesses, settings: Any) -> None:
    Assistant.objects.all().delete()
    settings.OPENAI_API_KEY = ""
    customers_write(stage)
    (banner,) = banners(team, "owner")
    assert "there&#x27;s no valid API key" in banner


def test_a_webhook_that_was_switched_off_is_a_cause(stage: Stage, team: TwoBusinesses) -> None:
    WebhookEndpoint.objects.create(
        tenant=team.ours,
        url="https://shop.example/hook",
        event_types=list(EventType),
        secret=new_secret(),
        is_active=False,
        disabled_reason="It answered 410 Gone.",
    )
    (banner,) = banners(team, "owner")
    assert "The webhook to https://shop.example/hook was switched off" in banner


def test_throttles_that_pass_by_themselves_are_no_cause(stage: Stage, team: TwoBusinesses) -> None:
    stage.wire.graph = lambda body: graph_error(130429, 429)
    customers_write(stage)
    assert Pause.objects.exists()
    assert banners(team, "owner") == []


@pytest.mark.parametrize("break_it", [break_the_token, break_the_key])
def test_owners_are_notified_once_for_each_cause_until_it_is_over(
    stage: Stage, team: TwoBusinesses, break_it: Any
) -> None:
    break_it(stage)
    for _ in range(3):
        close_and_tell()
    assert told() == ["our-owner"]
    incident = NotificationIncident.objects.get()
    assert (incident.kind, incident.count) == ("account", 1)
    Pause.objects.all().delete()
    outbox.resume(PHONE_NUMBER_ID)
    stage.wire.graph = None
    stage.work()
    close_and_tell()
    incident.refresh_from_db()
    assert incident.closed_at is not None


def test_the_banner_appears_in_an_open_inbox(stage: Stage, team: TwoBusinesses) -> None:
    page = OpenPage(team.browser("owner"))
    assert "inbox-causes" not in page.poll()
    break_the_token(stage)
    assert "aren&#x27;t being sent" in page.poll()["inbox-causes"]


@pytest.mark.django_db
def test_owners_learn_that_the_daily_limit_is_nearly_used_up(businesses: TwoBusinesses) -> None:
    Assistant.objects.create(tenant=businesses.ours, daily_token_limit=1000)
    NotificationSettings.objects.create(tenant=businesses.ours, budget_percent=90)
    add_tokens(businesses.ours.pk, 899)
    add_tokens(businesses.theirs.pk, 10_000)  # without a limit
    budget.warn()
    assert not NotificationIncident.objects.exists()
    add_tokens(businesses.ours.pk, 1)
    for _ in range(2):
        budget.warn()
        telling.tell_due()
    assert told() == ["our-owner"]
    NotificationIncident.objects.update(subject="budget:2000-01-01")
    budget.warn()
    assert NotificationIncident.objects.filter(closed_at=None).get().subject != "budget:2000-01-01"


def test_a_single_business_sees_its_number_too(stage: Stage, settings: Any) -> None:
    settings.RETRY_TIME_SCALE = 1
    member = person("owner")
    Tenant.objects.single().memberships.create(user=member, role=Role.OWNER)
    break_the_token(stage)
    (cause,) = causes.causes()
    assert (cause.tenant_id, cause.is_installations) == (Tenant.objects.single().pk, True)
