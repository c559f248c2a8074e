"""API clients of two businesses, each with its own key."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver

from api import keys
from api.base import ApiView
from api.models import ApiKey
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses


@dataclass(frozen=True)
class ApiClient:
    """A client with one key. Paths are relative to /api/; bodies are JSON."""

    token: str
    client: Client

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/{path}", query, headers=self._headers())

    def post(self, path: str, data: Any = None, **headers: str) -> Any:
        return self._write("post", path, data, headers)

    def send(self, path: str, form: dict[str, Any], **headers: str) -> Any:
        """Post a form with a file."""
        return self.client.post(f"/api/{path}", form, headers=self._headers() | headers)

    def patch(self, path: str, data: Any = None, **headers: str) -> Any:
        return self._write("patch", path, data, headers)

    def _write(self, method: str, path: str, data: Any, headers: dict[str, str]) -> Any:
        send = getattr(self.client, method)
        body = {} if data is None else data
        return send(f"/api/{path}", body, content_type="application/json", headers=self._headers() | headers)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def issue_key(user: User, tenant: Tenant | None, name: str, scope: str = "read") -> tuple[ApiKey, str]:
    """Generate a key. Returns it and its token."""
    key = ApiKey(tenant=tenant, name=name, scope=scope)
    token = keys.generate(key, user)
    key.save()
    return key, token


def staff_client(user: User) -> Client:
    """A client with a new admin token of this user."""
    return Client(headers={"Authorization": f"Token {keys.generate_admin_token(user)}"})


def api_client(tenant: Tenant | None, user: User, scope: str = "write") -> ApiClient:
    _, token = issue_key(user, tenant, f"Shop ({scope})", scope)
    return ApiClient(token, Client())


def endpoints() -> set[str]:
    """The paths for API keys, relative to /api/. Other apps add some to those of this one."""
    roots = [each for each in get_resolver().url_patterns if str(each.pattern) == "api/"]
    views = [each for root in roots for each in getattr(root, "url_patterns", []) if hasattr(each, "callback")]
    return {str(each.pattern) for each in views if issubclass(getattr(each.callback, "cls", object), ApiView)}


class Clients:
    """Clients of our business (one writes, one reads), of theirs, and without a valid key."""

    def __init__(self) -> None:
        self.businesses = TwoBusinesses()
        self.owner = self.businesses.people["owner"]
        self.writer = api_client(self.businesses.ours, self.owner)
        self.reader = api_client(self.businesses.ours, self.owner, "read")
        self.theirs = api_client(self.businesses.theirs, self.businesses.people["stranger"])
        self.keyless = ApiClient("", Client())
        self.revoked = api_client(self.businesses.ours, self.owner)
        keys.revoke(ApiKey.objects.filter(prefix__in=["_".join(self.revoked.token.split("_")[:2])]))

    @property
    def strangers(self) -> list[ApiClient]:
        """Clients without a valid key."""
        unknown = "prk_000000000000_" + "x" * 43
        forged = self.writer.token[:-2] + ("AA" if not self.writer.token.endswith("AA") else "BB")
        made_up = [ApiClient(token, Client()) for token in (unknown, forged, self.writer.token[:16], "é\x00", " ")]
        return [self.keyless, self.revoked, *made_up]
