"""Throttled and paused numbers: which messages wait, how long, and which don't."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable

import httpx2
import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone
from pytest_django import Settings

from conversations.models import Pause
from conversations.outbox.pauses import fingerprint
from conversations.outbox.senders import Policy, SendFailed
from tenants.models import Tenant
from tests.fake_network import FakeNetwork
from whatsapp.graph import access
from whatsapp.graph.errors import CODES, NUMBER_THROTTLED
from whatsapp.graph.sender import WhatsAppSender
from whatsapp.models import WhatsAppAccount

from .conftest import TOKEN
from .fake_graph import FakeGraph, accepted, from_owner, outbound, refused

pytestmark = pytest.mark.django_db(transaction=True)

Fake = Callable[..., FakeGraph]
NUMBER = "106540352242922"
ANOTHER_APP = "the secret of another app"
HELD = [code for code, (rule, _) in CODES.items() if rule.policy == Policy.HOLD]
send = async_to_sync(WhatsAppSender().send)


@pytest.fixture(autouse=True)
def real_time(graph_settings: Settings) -> None:
    graph_settings.RETRY_TIME_SCALE = 1


def fail(**parts: object) -> SendFailed:
    with pytest.raises(SendFailed) as failed:
        send(from_owner(**parts))
    return failed.value


def end_pauses() -> None:
    """As if the time had passed."""
    Pause.objects.filter(until__isnull=False).update(until=timezone.now() - dt.timedelta(seconds=1))


def seconds(pause: Pause) -> float:
    assert pause.until is not None
    return (pause.until - pause.since).total_seconds()


@pytest.fixture
def two_tenants(graph_settings: Settings) -> None:
    """Numbers 1 and 2 of one WABA, 3 of another tenant, 4 of another Meta app."""
    graph_settings.MULTITENANT_ENABLED = True
    for slug, numbers in {"bakery": ["1", "2"], "cinema": ["3"], "museum": ["4"]}.items():
        tenant = Tenant.objects.create(name=slug, slug=slug)
        for number in numbers:
            WhatsAppAccount.objects.create(
                tenant=tenant,
                phone_number_id=number,
                waba_id=slug,
                access_token=f"EAA{slug}",
                app_secret=ANOTHER_APP if slug == "museum" else "",
            )


@pytest.mark.parametrize(
    ("code", "scope", "held", "free"),
    [
        (130429, "number:1", ["1"], ["2", "3", "4"]),
        (80007, "waba:bakery", ["1", "2"], ["3", "4"]),
        (4, "app", ["1", "2", "3"], ["4"]),
    ],
)
def test_it_pauses_the_throttled_scope_and_no_other(
    fake_graph: Fake, two_tenants: None, code: int, scope: str, held: list[str], free: list[str]
) -> None:
    fake = fake_graph(refused(code), accepted())
    failed = fail(phone_number_id="1")
    assert (failed.code, failed.waits, failed.policy) == (code, (), Policy.WAIT)
    pause = Pause.objects.get()
    assert (pause.scope, pause.error_code, pause.credential, pause.step) == (scope, code, "", 1)
    for number in held:
        assert fail(phone_number_id=number).policy == Policy.WAIT
    assert len(fake.requests) == 1
    for number in free:
        send(from_owner(phone_number_id=number))


def test_it_pauses_the_other_apps_own_scope(fake_graph: Fake, two_tenants: None) -> None:
    fake_graph(refused(4), accepted())
    assert fail(phone_number_id="4").policy == Policy.WAIT
    assert Pause.objects.get().scope == f"app:{fingerprint(ANOTHER_APP)}"
    send(from_owner(phone_number_id="1"))


def test_it_pauses_the_number_when_the_waba_is_not_known(fake_graph: Fake) -> None:
    fake_graph(refused(80007))
    fail()
    assert Pause.objects.get().scope == f"number:{NUMBER}"


def test_it_pauses_longer_each_time_in_a_row(fake_graph: Fake) -> None:
    fake_graph(refused(130429))
    lengths = []
    for _ in range(8):
        fail()
        lengths.append(round(seconds(Pause.objects.get()), 3))
        end_pauses()
    assert lengths == [1, 2, 4, 8, 16, 30, 30, 30]


def test_it_pauses_as_long_as_meta_asks(fake_graph: Fake) -> None:
    fake_graph(refused(130429, 429, headers={"retry-after": "45"}))
    fail()
    assert seconds(Pause.objects.get()) == pytest.approx(45)


def test_it_begins_with_the_shortest_pause_again_after_a_success(fake_graph: Fake) -> None:
    fake_graph(refused(130429), refused(130429), accepted(), refused(130429))
    for _ in range(2):
        fail()
        end_pauses()
    send(from_owner())
    assert not Pause.objects.exists()
    fail()
    assert Pause.objects.get().step == 1


def test_it_raises_the_step_once_however_many_are_refused_at_the_same_time(
    graph_settings: Settings, network: FakeNetwork
) -> None:
    """Ten requests are in flight when the first refusal arrives."""

    async def ten() -> list[object]:
        all_asked = asyncio.Barrier(10)

        async def refuse(request: httpx2.Request) -> httpx2.Response:
            await all_asked.wait()
            return refused(130429)

        network.graph = refuse
        sender = WhatsAppSender()
        return await asyncio.gather(*(sender.send(outbound(message_id=n)) for n in range(10)), return_exceptions=True)

    for step in (1, 2):
        failures = async_to_sync(ten)()
        assert all(isinstance(failed, SendFailed) and failed.retry_in for failed in failures)
        assert Pause.objects.get().step == step
        end_pauses()


def test_it_leaves_a_newer_pause_alone_when_an_old_refusal_comes_late(fake_graph: Fake) -> None:
    fake_graph(refused(130429))
    fail()
    end_pauses()
    old = access.sending_access([NUMBER])[0]
    for _ in range(2):
        fail()
        end_pauses()
    newest = Pause.objects.get()
    assert access.throttle(old, NUMBER_THROTTLED, "late", 130429) == (0, False)
    late = Pause.objects.get()
    assert (late.step, late.until, late.reason) == (3, newest.until, newest.reason)


def test_it_wakes_those_who_wait_after_the_pause_and_not_at_the_same_instant(fake_graph: Fake) -> None:
    fake_graph(refused(130429))
    fail()
    Pause.objects.update(until=timezone.now() + dt.timedelta(seconds=60))
    waits = [fail().retry_in for _ in range(40)]
    assert min(waits) > 50
    assert max(waits) <= 76
    assert max(waits) - min(waits) > 4


def test_one_customers_limit_slows_down_no_one_else(fake_graph: Fake) -> None:
    fake_graph(refused(131056), accepted())
    assert fail().waits == (1, 4, 16, 64, 256)
    send(from_owner(phone="79007654321"))


@pytest.mark.parametrize("code", [131048, 131064])
def test_it_pauses_a_number_that_counts_as_spam(fake_graph: Fake, caplog: pytest.LogCaptureFixture, code: int) -> None:
    fake = fake_graph(refused(code), accepted())
    failed = fail()
    assert (failed.waits, failed.policy) == ((900, 900), Policy.RETRY)
    assert seconds(Pause.objects.get()) == pytest.approx(900)
    assert fail(message_id=42).policy == Policy.WAIT
    assert len(fake.requests) == 1
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "check its quality" in errors[0]


@pytest.mark.parametrize("code", [*HELD, 210])
def test_it_holds_the_number_for_what_only_a_person_can_change(
    fake_graph: Fake, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    fake = fake_graph(refused(code), accepted())
    failed = fail()
    assert (failed.policy, failed.code) == (Policy.HOLD, code)
    pause = Pause.objects.get()
    assert (pause.scope, pause.until, pause.credential) == (f"number:{NUMBER}", None, fingerprint(TOKEN))
    again = fail(message_id=42)
    assert (again.policy, again.code) == (Policy.HOLD, code)
    assert len(fake.requests) == 1
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "stopped sending" in errors[0]
    assert TOKEN not in f"{caplog.text} {pause.reason} {failed.detail}"


def test_it_sends_again_when_the_token_changes(fake_graph: Fake, graph_settings: Settings) -> None:
    fake_graph(refused(190), accepted())
    fail()
    graph_settings.WHATSAPP_ACCESS_TOKEN = "EAAnew"
    send(from_owner())
    # And the account is no longer shown as paused.
    assert not Pause.objects.exists()


def test_it_holds_again_when_the_new_token_is_refused_too(fake_graph: Fake, graph_settings: Settings) -> None:
    fake_graph(refused(190))
    fail()
    graph_settings.WHATSAPP_ACCESS_TOKEN = "EAAnew"
    fail()
    assert Pause.objects.get().credential == fingerprint("EAAnew")


def test_it_sends_again_when_a_person_ends_the_pause(fake_graph: Fake) -> None:
    fake_graph(refused(131042), accepted())
    fail()
    Pause.objects.all().delete()
    send(from_owner())


def test_it_holds_one_tenants_number_and_no_other(fake_graph: Fake, two_tenants: None) -> None:
    fake_graph(refused(190), accepted())
    assert fail(phone_number_id="1").policy == Policy.HOLD
    send(from_owner(phone_number_id="3"))


def test_it_does_not_turn_a_hold_into_a_short_pause(graph_settings: Settings, network: FakeNetwork) -> None:
    """A throttled request was in flight when the token was refused."""

    async def both() -> list[object]:
        all_asked = asyncio.Barrier(2)

        async def refuse(request: httpx2.Request) -> httpx2.Response:
            throttled = b'"41"' not in request.content
            await all_asked.wait()
            for _ in range(20 if throttled else 0):
                await asyncio.sleep(0)
            return refused(130429 if throttled else 190)

        network.graph = refuse
        sender = WhatsAppSender()
        messages = (outbound(message_id=41), outbound(message_id=42))
        return await asyncio.gather(*(sender.send(message) for message in messages), return_exceptions=True)

    async_to_sync(both)()
    # The hold remains, whichever was written first.
    assert Pause.objects.get().until is None
