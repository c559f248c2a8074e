"""Who asks: `Authorization: Bearer prk_…`, a key of one business."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api import keys
from api.models import ApiKey

READING = ("GET", "HEAD", "OPTIONS")


class KeyAuthentication(BaseAuthentication):
    """`request.auth` is the key, `request.user` the person who made it: what the key writes, that person wrote."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        scheme, _, token = get_authorization_header(request).decode("latin-1").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = keys.find(token.strip())
        if key is None:
            raise AuthenticationFailed("This API key is unknown or revoked.")
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasWriteScope(BasePermission):
    """A key that reads may not write."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey):
            return False
        self.message = "This API key may only read. Make one that may write."
        return request.method in READING or request.auth.scope == ApiKey.Scope.WRITE


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A tenant's API key: prk_…"}
