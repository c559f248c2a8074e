from typing import Any

import httpx2
import pytest

from tests.fake_network import FakeNetwork

from .clients import Clients

PLACES = {"type": "BODY", "text": "Hello {{1}}, your order {{2}} is ready."}
APPROVED = {"name": "order_update", "language": "en", "status": "APPROVED", "category": "UTILITY"}
INVOICE = APPROVED | {
    "name": "invoice",
    "parameter_format": "NAMED",
    "components": [
        {"type": "HEADER", "format": "DOCUMENT"},
        {"type": "BODY", "text": "Hello {{customer}}"},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Pay", "url": "https://pay.example/{{1}}"}]},
    ],
}
CAROUSEL = {"type": "CAROUSEL", "cards": []}


@pytest.fixture
def clients(db: None) -> Clients:
    return Clients()


class Meta:
    """The part of the Graph API that lists templates."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        listed = [APPROVED | {"components": [PLACES]}, INVOICE, APPROVED | {"name": "many", "components": [CAROUSEL]}]
        self.answer = httpx2.Response(200, json={"data": listed})

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        return self.answer


@pytest.fixture
def meta(settings: Any, network: FakeNetwork) -> Meta:
    settings.WHATSAPP_ACCESS_TOKEN, settings.WHATSAPP_WABA_ID = "token", "707"
    network.graph = meta = Meta()
    return meta
