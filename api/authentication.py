"""The two ways to authenticate: an API key of one business, or the admin token of a staff user."""

from django.contrib.auth.models import User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from api import keys
from api.models import ApiKey


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer prk_…`. `request.auth` is the key and `request.user` the user who created it."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey]:
        scheme, _, token = get_authorization_header(request).decode("latin-1").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("No API key provided. Send it in the header `Authorization: Bearer prk_…`.")
        key = keys.authenticate(token.strip())
        if key is None:
            raise AuthenticationFailed("Invalid API key. Check that it's complete and hasn't been revoked.")
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasWriteScope(BasePermission):
    """Keys with the read scope can't make changes."""

    message = "This API key is read-only. Use a key with the “Read and write” scope."

    def has_permission(self, request: Request, view: APIView) -> bool:
        can_write = isinstance(request.auth, ApiKey) and request.auth.scope == ApiKey.Scope.WRITE
        return can_write or request.method in SAFE_METHODS


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key of one business: `Authorization: Bearer prk_…`.",
        }


class AdminTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "rest_framework.authentication.TokenAuthentication"
    name = "adminToken"
    priority = 1  # before drf-spectacular's own description

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The admin token of a staff user, with the prefix `Token`: `Authorization: Token …`.",
        }
