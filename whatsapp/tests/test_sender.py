"""What the sender reports to the outbox if a message can't be sent."""

import logging
from collections.abc import Callable

import httpx2
import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from conversations.models import Pause
from conversations.outbox.senders import Policy, SendFailed, load_sender
from tenants.models import Tenant
from whatsapp.graph import access
from whatsapp.graph import sender as sender_module
from whatsapp.graph.errors import CODES, NO_CONNECTION, rule_for
from whatsapp.graph.sender import WhatsAppSender
from whatsapp.models import WhatsAppAccount

from .conftest import TOKEN
from .fake_graph import WAMID, Answer, FakeGraph, accepted, from_owner, outbound, refused

pytestmark = pytest.mark.django_db(transaction=True)

Fake = Callable[..., FakeGraph]
NUMBER = "106540352242922"
send = async_to_sync(WhatsAppSender().send)
show_typing = async_to_sync(WhatsAppSender().show_typing)


def failure(fake_graph: Fake, *answers: Answer) -> SendFailed:
    fake_graph(*answers)
    with pytest.raises(SendFailed) as failed:
        send(from_owner())
    return failed.value


def codes_of(*names: str) -> list[int]:
    return [code for code, (rule, _) in CODES.items() if rule.name in names]


@pytest.fixture
def account(graph_settings: Settings) -> WhatsAppAccount:
    graph_settings.MULTITENANT_ENABLED = True
    tenant = Tenant.objects.create(name="Bakery", slug="bakery")
    return WhatsAppAccount.objects.create(
        tenant=tenant, phone_number_id=NUMBER, waba_id="777", access_token="EAAbakery"
    )


def test_it_is_the_sender_the_settings_name(settings: Settings) -> None:
    load_sender.cache_clear()
    assert isinstance(load_sender(), WhatsAppSender)
    load_sender.cache_clear()


def test_it_returns_the_wamid(fake_graph: Fake) -> None:
    fake_graph(accepted())
    assert send(from_owner()) == WAMID


def test_it_sends_with_the_token_of_the_one_business(fake_graph: Fake) -> None:
    fake = fake_graph(accepted())
    send(from_owner())
    assert fake.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_it_sends_with_the_token_of_the_numbers_account(fake_graph: Fake, account: WhatsAppAccount) -> None:
    fake = fake_graph(accepted())
    send(from_owner())
    assert fake.requests[0].headers["authorization"] == "Bearer EAAbakery"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"phone_number_id": "999"}, "no WhatsApp account has the phone number ID"),
        ({"is_active": False}, "is not active"),
        ({"access_token": ""}, "has no access token"),
        ({"access_token": "two words"}, "paste it again"),
        ({"access_token": "EAA\nEAA"}, "paste it again"),
    ],
)
def test_it_holds_the_message_when_the_account_cannot_send(
    fake_graph: Fake, account: WhatsAppAccount, change: dict[str, object], said: str
) -> None:
    WhatsAppAccount.objects.update(**{"access_token": "EAAbakery", **change})
    fake = fake_graph(accepted())
    with pytest.raises(SendFailed, match=said) as failed:
        send(from_owner())
    assert failed.value.policy == Policy.HOLD
    assert fake.requests == []


def test_it_holds_the_message_when_no_token_is_set(fake_graph: Fake, graph_settings: Settings) -> None:
    graph_settings.WHATSAPP_ACCESS_TOKEN = " "
    held = failure(fake_graph, accepted())
    assert held.policy == Policy.HOLD
    assert "WHATSAPP_ACCESS_TOKEN is not set" in held.detail


def test_it_never_sends_for_an_account_with_the_installations_token(
    fake_graph: Fake, account: WhatsAppAccount, graph_settings: Settings
) -> None:
    WhatsAppAccount.objects.update(access_token="")
    fake = fake_graph(accepted())
    with pytest.raises(SendFailed):
        send(from_owner())
    assert fake.requests == []


def test_it_uses_the_database_once_per_message(fake_graph: Fake, account: WhatsAppAccount) -> None:
    fake_graph(accepted())
    message = from_owner()
    with CaptureQueriesContext(connection) as queries:
        send(message)
    assert len(queries) == 2  # the account, the pauses


@pytest.mark.parametrize("code", codes_of("pair throttled", "maintenance", "generic"))
def test_it_says_when_to_try_again(fake_graph: Fake, graph_settings: Settings, code: int) -> None:
    graph_settings.RETRY_TIME_SCALE = 0.5
    failed = failure(fake_graph, refused(code))
    assert failed.code == code
    assert failed.waits == tuple(wait / 2 for wait in rule_for(code, 400).waits)
    assert failed.policy == Policy.RETRY
    assert not Pause.objects.exists()


@pytest.mark.parametrize("broken", [httpx2.ConnectError("no"), httpx2.ConnectTimeout("no"), httpx2.PoolTimeout("no")])
def test_it_tries_again_when_nothing_went_out(fake_graph: Fake, graph_settings: Settings, broken: Exception) -> None:
    graph_settings.RETRY_TIME_SCALE = 1
    failed = failure(fake_graph, broken)
    assert (failed.policy, failed.waits) == (Policy.RETRY, NO_CONNECTION.waits)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.ReadTimeout("slow"),
        httpx2.ReadError("reset"),
        httpx2.RemoteProtocolError("hung up"),
        RuntimeError("never seen"),
        httpx2.Response(502, html="<h1>Bad Gateway</h1>"),
        httpx2.Response(200, html="<h1>Welcome</h1>"),
        httpx2.Response(200, json={"messages": []}),
    ],
)
def test_it_is_uncertain_if_the_outcome_is_unknown(fake_graph: Fake, answer: Answer) -> None:
    failed = failure(fake_graph, answer)
    assert (failed.policy, failed.waits) == (Policy.UNCERTAIN, ())


def test_it_is_uncertain_after_any_failure_once_the_request_began(
    fake_graph: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "rule_for", lambda *_: 1 / 0)
    failed = failure(fake_graph, refused(190))
    assert failed.policy == Policy.UNCERTAIN
    assert "ZeroDivisionError" in failed.detail


@pytest.mark.parametrize("code", [*codes_of("window", "recipient", "bad request"), 999999])
def test_it_fails_what_retrying_would_not_change(fake_graph: Fake, code: int) -> None:
    fake = fake_graph(refused(code, details="Because."))
    with pytest.raises(SendFailed, match="Because") as failed:
        send(from_owner())
    assert (failed.value.code, failed.value.policy, failed.value.waits) == (code, Policy.FAIL, ())
    assert len(fake.requests) == 1
    assert not Pause.objects.exists()


def test_it_says_that_the_window_is_closed(fake_graph: Fake) -> None:
    assert "24-hour window has closed" in failure(fake_graph, refused(131047)).detail


@pytest.mark.parametrize("code", codes_of("bad request"))
def test_it_logs_a_bad_request_as_our_bug(fake_graph: Fake, caplog: pytest.LogCaptureFixture, code: int) -> None:
    failure(fake_graph, refused(code))
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "a bug in Parley" in errors[0]


def test_it_tries_again_when_the_account_cannot_be_read(fake_graph: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "sending_access", raising(OperationalError("gone")))
    monkeypatch.setattr(sender_module, "ACCESS_SECONDS", 0)
    fake = fake_graph(accepted())
    with pytest.raises(SendFailed) as failed:
        send(from_owner())
    assert len(failed.value.waits) == 10
    assert fake.requests == []


def test_it_holds_the_message_when_no_key_decrypts_the_token(
    fake_graph: Fake, account: WhatsAppAccount, graph_settings: Settings
) -> None:
    another = WhatsAppAccount.objects.create(
        tenant=account.tenant, phone_number_id="another", access_token="EAAanother"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE whatsapp_accounts SET access_token = 'gAAAA-no-key-opens-this' WHERE id = %s", [account.pk]
        )
    fake_graph(accepted())
    with pytest.raises(SendFailed, match="FIELD_ENCRYPTION_KEYS") as failed:
        send(outbound(tenant_id=account.tenant_id))
    assert failed.value.policy == Policy.HOLD
    good, bad = access.sending_access([another.phone_number_id, account.phone_number_id])
    assert (good.token, bad.token) == ("EAAanother", "")


@pytest.mark.parametrize(("step", "code"), [("hold", 190), ("throttle", 130429)])
def test_it_keeps_metas_refusal_when_the_pause_cannot_be_stored(
    fake_graph: Fake, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    monkeypatch.setattr(access, step, raising(OperationalError("gone")))
    failed = failure(fake_graph, refused(code))
    assert (failed.code, failed.policy) == (code, Policy.HOLD if step == "hold" else Policy.WAIT)


def raising(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


def test_it_shows_typing(fake_graph: Fake) -> None:
    fake = fake_graph(httpx2.Response(200, json={"success": True}))
    show_typing(NUMBER, "wamid.asked")
    assert fake.body()["typing_indicator"] == {"type": "text"}


@pytest.mark.parametrize(
    "answer", [refused(190), refused(130429), httpx2.Response(502), httpx2.ReadError("reset"), RuntimeError("never")]
)
def test_a_failed_typing_indicator_causes_no_pause(fake_graph: Fake, answer: Answer) -> None:
    fake_graph(answer)
    with pytest.raises(SendFailed):
        show_typing(NUMBER, "wamid.asked")
    assert not Pause.objects.exists()


def test_it_shows_no_typing_while_a_pause_holds(fake_graph: Fake) -> None:
    Pause.objects.create(scope=f"number:{NUMBER}", reason="held", until=None)
    fake = fake_graph(accepted())
    show_typing(NUMBER, "wamid.asked")
    assert fake.requests == []


def test_it_shows_no_typing_for_an_account_that_does_not_exist(fake_graph: Fake, graph_settings: Settings) -> None:
    graph_settings.MULTITENANT_ENABLED = True
    fake_graph(accepted())
    with pytest.raises(SendFailed):
        show_typing("404", "wamid.asked")
