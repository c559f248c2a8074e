"""Clients of two businesses, each with its keys."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from api import keys
from tenants.models import ApiKey, Tenant
from tenants.tests.people import TwoBusinesses


@dataclass(frozen=True)
class ApiClient:
    """A program with one key: `get`, `post`, `patch` under /api/, JSON in and out."""

    token: str
    client: Client

    def get(self, address: str, **query: Any) -> Any:
        return self.client.get(f"/api/{address}", query, headers=self._headers())

    def post(self, address: str, data: Any = None, **headers: str) -> Any:
        return self._write("post", address, data, headers)

    def send(self, address: str, form: dict[str, Any], **headers: str) -> Any:
        """A form, with its file."""
        return self.client.post(f"/api/{address}", form, headers=self._headers() | headers)

    def patch(self, address: str, data: Any = None, **headers: str) -> Any:
        return self._write("patch", address, data, headers)

    def _write(self, method: str, address: str, data: Any, headers: dict[str, str]) -> Any:
        send = getattr(self.client, method)
        body = {} if data is None else data
        return send(f"/api/{address}", body, content_type="application/json", headers=self._headers() | headers)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def api_client(tenant: Tenant | None, made_by: User, scope: str = "write") -> ApiClient:
    _, token = keys.issue(made_by, tenant=tenant, name=f"ApiClient that may {scope}", scope=scope)
    return ApiClient(token, Client())


class Clients:
    """Of our business one that writes and one that reads; of theirs one that writes; and those that have no key."""

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
        """Nobody of these gets in."""
        unknown = "prk_000000000000_" + "x" * 43
        forged = self.writer.token[:-2] + ("AA" if not self.writer.token.endswith("AA") else "BB")
        made_up = [ApiClient(token, Client()) for token in (unknown, forged, self.writer.token[:16], "é\x00", " ")]
        return [self.keyless, self.revoked, *made_up]
