"""A healthy installation, what is outside it, and how the tests ask its doctor."""

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from wsgiref.handlers import format_date_time

import httpx2
from django.utils import timezone

from operations.doctor.findings import Check, Finding, Level
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount

NUMBER, WABA, APP, TOKEN, SECRET = "1001", "77", "55", "EAAG-token-of-the-number", "0123456789abcdef" * 2
CALLBACK = "https://parley.example/api/whatsapp/webhook"
SETTINGS: dict[str, Any] = {
    "SECRET_KEY": "a-long-and-random-secret-key-0123456789-abcdefghijklmnopqrst",
    "PUBLIC_URL": "https://parley.example",
    "WHATSAPP_APP_SECRETS": [SECRET],
    "WHATSAPP_VERIFY_TOKEN": "our-verify-token",
    "WHATSAPP_GRAPH_VERSION": "v26.0",
    "MULTITENANT_ENABLED": True,
    "OPENAI_API_KEY": "sk-of-the-installation",
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SECURE_HSTS_SECONDS": 3600,
    "AXES_ENABLED": True,
}


@dataclass
class Outside:
    """Meta, a model's service and our own proxy."""

    number: dict[str, Any] = field(default_factory=lambda: {"status": "CONNECTED", "quality_rating": "GREEN"})
    callback: str = CALLBACK
    app_secret: str = SECRET
    subscribed: str = APP
    token_is_valid: bool = True
    model_status: int = 200
    webhook_status: int = 200
    is_away: bool = False
    ahead: dt.timedelta = dt.timedelta(0)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.is_away:
            raise httpx2.ConnectError("no")
        url = request.url
        if url.host == "api.openai.com":
            return httpx2.Response(self.model_status, json={"data": []})
        if url.host == "parley.example":
            return httpx2.Response(self.webhook_status, text=url.params["hub.challenge"])
        if not self.token_is_valid:
            return httpx2.Response(401, json={"error": {"code": 190, "message": "expired"}})
        path = url.path.rstrip("/").removeprefix("/v26.0")
        if not path:
            date = format_date_time((dt.datetime.now(dt.UTC) + self.ahead).timestamp())
            return httpx2.Response(400, json={"error": {"code": 100, "message": "no"}}, headers={"Date": date})
        if path == "/app":
            proof = hmac.new(self.app_secret.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
            if url.params["appsecret_proof"] != proof:
                return httpx2.Response(400, json={"error": {"code": 100, "message": "Invalid appsecret_proof"}})
            return httpx2.Response(200, json={"id": APP})
        if path.endswith("/subscribed_apps"):
            return httpx2.Response(200, json={"data": [{"whatsapp_business_api_data": {"id": self.subscribed}}]})
        if path.endswith("/phone_numbers"):
            return httpx2.Response(200, json={"data": [{"id": NUMBER}]})
        configured = {"webhook_configuration": {"application": self.callback}}
        return httpx2.Response(200, json={"id": NUMBER, **self.number, **configured})


def account(**fields: Any) -> WhatsAppAccount:
    tenant = Tenant.objects.create(name="Harbour Bakery", slug="bakery")
    given = {"access_token": TOKEN, "waba_id": WABA, "last_delivery_at": timezone.now(), **fields}
    return WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=NUMBER, **given)


def bad(check: Check) -> list[Finding]:
    found = list(check())
    assert all(each.remedy for each in found if each.level)
    return [each for each in found if each.level]


def one(check: Check, level: Level = Level.ERROR) -> str:
    """The text and the remedy of the only bad finding."""
    (finding,) = bad(check)
    assert finding.level == level
    return f"{finding.text} {finding.remedy}"
