"""The two ways to authenticate: an API key of one business, or the admin token of a staff user."""

from collections.abc import Callable
from typing import ClassVar, TypeVar

from django.contrib.auth.models import User
from django.db.models import Exists, QuerySet
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from api import keys, rate_limit
from api.models import AdminToken, ApiKey
from runtime.row_security import scope
from runtime.row_security.scope import Scope
from tenants.access import OPERATORS, OWNERS, Roles, has_role, is_shut_out, scope_of
from tenants.sign_in import client_ip

SUSPENDED = "This business is suspended. Ask whoever runs this installation."

Credential = TypeVar("Credential", ApiKey, AdminToken)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer prk_…`. `request.auth` is the key and `request.user` the user who created it."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey]:
        scheme, token = _authorization(request)
        if scheme != "bearer":
            raise AuthenticationFailed("No API key provided. Send it in the header `Authorization: Bearer prk_…`.")
        key = _valid(request, token, ApiKey.objects.valid(), keys.find)
        if key is None:
            raise AuthenticationFailed("Invalid API key. Check that it's complete and hasn't been revoked.")
        if not key.tenant.is_active:
            raise PermissionDenied(SUSPENDED)
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class AdminTokenAuthentication(BaseAuthentication):
    """`Authorization: Token pra_…`. `request.auth` is the token and `request.user` its user."""

    def authenticate(self, request: Request) -> tuple[User, AdminToken] | None:
        scheme, text = _authorization(request)
        if scheme != "token":
            return None
        token = _valid(request, text, AdminToken.objects.valid(), keys.find_admin_token)
        if token is None:
            raise AuthenticationFailed("Invalid admin token. It may have expired or been revoked.")
        if is_shut_out(token.user):
            raise PermissionDenied(SUSPENDED)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"


def _authorization(request: Request) -> tuple[str, str]:
    scheme, _, token = get_authorization_header(request).decode("latin-1").strip().partition(" ")
    return scheme.lower(), token.strip()


def _valid(
    request: Request,
    token: str,
    rows: "QuerySet[Credential]",
    find: "Callable[[str, QuerySet[Credential]], Credential | None]",
) -> Credential | None:
    """The row of a valid token. Records its use, or a failed attempt. Raises RateLimitExceeded after too many of those.

    Then even a valid token is refused: otherwise, guessing could continue.
    """
    address = client_ip(request)
    with scope.all_businesses():  # the token says which of them the request sees
        found = find(token, rows.filter(~Exists(rate_limit.blocked(address))))
    if found is None:
        rate_limit.count_failure(address).enforce()
    else:
        scope.enter(Scope((found.tenant_id,)) if isinstance(found, ApiKey) else scope_of(found.user))
        keys.record_use(found)
    return found


class HasWriteScope(BasePermission):
    """Keys with the read scope can't make changes. Nor can keys whose creator has become a viewer."""

    message = "This API key is read-only. Use a key with the “Read and write” scope, created by someone who may write."
    roles: ClassVar[Roles] = OPERATORS

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in SAFE_METHODS:
            return True
        key = request.auth
        return (
            isinstance(key, ApiKey)
            and key.scope == ApiKey.Scope.WRITE
            and has_role(key.created_by, self.roles, key.tenant_id)
        )


class MayChangeSettings(HasWriteScope):
    """Settings are for owners, so the key's creator must still be one."""

    message = "Only a “Read and write” key whose creator is an owner can change settings."
    roles = OWNERS


class OfOwner(BasePermission):
    """Only owners see this, so the key's creator must still be one."""

    message = "Only a key whose creator is an owner can read this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = request.auth
        return isinstance(key, ApiKey) and has_role(key.created_by, OWNERS, key.tenant_id)


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
    target_class = AdminTokenAuthentication
    name = "adminToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The admin token of a staff user, with the prefix `Token`: `Authorization: Token pra_…`.",
        }
