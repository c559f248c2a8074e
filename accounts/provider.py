"""The OpenID Connect provider that the settings name."""

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def provider_id(issuer: str) -> str:
    """The provider's name in the redirect URI and in linked accounts: another issuer's users are never the same."""
    return re.sub(r"[^a-z0-9]+", "-", issuer.lower().removeprefix("https://").removeprefix("http://")).strip("-")


def openid_connect(issuer: str, client_id: str, secret: str, name: str) -> dict[str, Any]:
    """allauth's setting for one OpenID Connect provider. Raises ImproperlyConfigured if half of it is set."""
    if not issuer:
        return {}
    if not (client_id and secret):
        raise ImproperlyConfigured("OIDC_ISSUER is set. Set OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, too.")
    app = {
        "provider_id": provider_id(issuer),
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": issuer, "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}
