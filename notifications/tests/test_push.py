"""Web Push: a real push service on this machine, and a browser's keys."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import http_ece
import pytest
from django.core.exceptions import ValidationError
from py_vapid import Vapid02

from notifications import push
from notifications.choices import State
from notifications.models import NotificationDelivery, PushSubscription, VapidKey
from notifications.tests.line import happen, told
from notifications.tests.outside import Device
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from webhooks.tests.receiver import Receiver, receiving


@pytest.fixture
def service(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    with receiving() as receiver:
        yield receiver


def pushes() -> list[NotificationDelivery]:
    return list(NotificationDelivery.objects.filter(channel="push").order_by("pk"))


def test_each_device_gets_a_message_that_only_it_can_read(stage: Stage, team: TwoBusinesses, service: Receiver) -> None:
    devices = [Device(f"{service.url}&device={number}") for number in (1, 2)]
    for device in devices:
        device.subscribe(team.people["operator"])
    happen(team.ours, text="Asked for a person.")
    stage.work()
    assert [each.state for each in pushes()] == [State.SENT, State.SENT]
    for device, (_, body) in zip(devices, service.got, strict=True):
        message = device.read(body)
        assert message["title"] == "handover of conversation:1"
        assert (message["text"], message["path"]) == ("Asked for a person.", "/admin/")
        with pytest.raises(http_ece.ECEException):
            Device(device.endpoint).read(body)
    head = service.got[0][0]
    assert head["Content-Encoding"] == "aes128gcm"
    assert (head["TTL"], head["Urgency"]) == ("14400", "high")
    assert len(head["Topic"]) <= 32


def test_the_request_is_signed_with_the_installations_key(
    stage: Stage, team: TwoBusinesses, service: Receiver, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://parley.example.com"
    Device(service.url).subscribe(team.people["operator"])
    happen(team.ours)
    stage.work()
    authorization = service.got[0][0]["Authorization"]
    assert Vapid02.verify(authorization)
    assert authorization.endswith(f"k={push.application_server_key()}")
    token = authorization.split("t=")[1].split(",")[0].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(token + "=="))
    assert claims["aud"] == service.url.split("/hook")[0]
    assert claims["sub"] == "https://parley.example.com"


def test_the_key_is_made_once_and_stored_encrypted(businesses: TwoBusinesses) -> None:
    assert push.application_server_key() == push.application_server_key()
    stored = VapidKey.objects.get()
    assert "PRIVATE KEY" in stored.private_key
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VapidKey._meta.get_field("private_key"), "from_db_value", lambda value, *_: value)
        raw = VapidKey.objects.values_list("private_key", flat=True).get()
    assert "PRIVATE KEY" not in raw


@pytest.mark.parametrize("code", [404, 410])
def test_a_device_that_is_gone_is_forgotten(stage: Stage, team: TwoBusinesses, service: Receiver, code: int) -> None:
    Device(service.url).subscribe(team.people["operator"])
    service.codes = [code]
    happen(team.ours)
    stage.work()
    assert not PushSubscription.objects.exists()
    assert [each.state for each in pushes()] == [State.FAILED]
    happen(team.ours, subject="conversation:2")
    stage.work()
    assert len(service.got) == 1
    assert told("push") == ["our-operator"]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_push_service_in_trouble_is_asked_again(
    stage: Stage, team: TwoBusinesses, service: Receiver, code: int
) -> None:
    Device(service.url).subscribe(team.people["operator"])
    service.codes = [code]
    happen(team.ours)
    stage.work()
    assert len(service.got) == 2
    assert [(each.state, each.attempts) for each in pushes()] == [(State.SENT, 2)]


def test_a_refusal_is_shown_and_not_repeated(stage: Stage, team: TwoBusinesses, service: Receiver) -> None:
    Device(service.url).subscribe(team.people["operator"])
    service.codes, service.body = [403], b"the key doesn't match"
    happen(team.ours)
    stage.work()
    (refused,) = pushes()
    assert (refused.state, len(service.got)) == (State.FAILED, 1)
    assert "the key doesn't match" in refused.error


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://127.0.0.1/x", "https://10.0.0.1/x", "ftp://x/", "x"])
def test_a_device_cannot_make_us_call_our_own_network(businesses: TwoBusinesses, url: str) -> None:
    form = Device(url).form
    with pytest.raises(ValidationError):
        push.check(**form)


def test_an_address_that_leads_into_our_network_is_not_called(stage: Stage, team: TwoBusinesses, settings: Any) -> None:
    settings.RETRY_TIME_SCALE = 1
    stage.network.addresses = lambda host: ["10.0.0.1"]
    Device("https://push.example.com/x").subscribe(team.people["operator"])
    happen(team.ours)
    stage.work()
    assert stage.network.connected == []
    assert "Can't connect" in pushes()[0].error


@pytest.mark.parametrize("broken", ["endpoint", "public_key", "auth_secret"])
def test_only_a_browsers_subscription_is_accepted(businesses: TwoBusinesses, broken: str) -> None:
    form = Device("https://push.example.com/x").form
    push.check(**form)
    for value in ("", "x", "é", "A" * 2000, base64.urlsafe_b64encode(b"\x04" + b"1" * 64).decode()):
        with pytest.raises(ValidationError):
            push.check(**{**form, broken: value})
