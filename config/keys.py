"""Refuses secrets that protect nothing: unusable keys when the settings load, weak ones in `manage.py check`."""

import ipaddress
from collections.abc import Sequence

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

DEVELOPMENT_SECRET_KEY = "development-only-secret-key-never-used-in-production"  # noqa: S105
DEVELOPMENT_FIELD_KEY = "ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1rZXktMDAwMDA="

SHORTEST_SECRET_KEY = 32
SHORTEST_APP_SECRET = 8
APP_SECRET_DIGITS = 32


def new_field_key() -> str:
    return Fernet.generate_key().decode()


def field_keys(text: str, is_development: bool) -> list[str]:
    """The Fernet keys in a comma-separated list. Raises ImproperlyConfigured."""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"Key {number} of {len(keys)} in FIELD_ENCRYPTION_KEYS isn't valid. Create one with: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from None
        if key == DEVELOPMENT_FIELD_KEY and not is_development:
            raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS contains the development key, which is public.")
    return keys


def refuse_public_debugging(addresses: Sequence[str]) -> None:
    """With DEBUG, secrets are public and deliveries needn't be signed. Raises ImproperlyConfigured unless only this
    machine can connect. addresses: hosts or IP addresses to bind to.
    """
    for address in addresses:
        if not _is_loopback(address):
            raise ImproperlyConfigured(
                f"DEBUG=true can't be used with the address {address}, which other machines can reach: the keys are "
                "public and errors show the code. Set DEBUG=false, or WEB_HOST=127.0.0.1."
            )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost" or address.startswith("/")  # a Unix socket


@register(Tags.security)
def secret_key_is_secret(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    key = settings.SECRET_KEY
    if settings.DEBUG or (key != DEVELOPMENT_SECRET_KEY and len(key) >= SHORTEST_SECRET_KEY and len(set(key)) > 4):
        return []
    hint = 'Create one with: python -c "import secrets; print(secrets.token_urlsafe(50))"'
    return [Error("SECRET_KEY is too short, too simple or public.", hint=hint, id="config.E001")]


@register(Tags.security)
def app_secrets_are_plausible(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    if settings.DEBUG or all(
        len(secret) >= SHORTEST_APP_SECRET and secret.isascii() and secret.isprintable() and " " not in secret
        for secret in settings.WHATSAPP_APP_SECRETS
    ):
        return []
    hint = "Copy it from Meta: App settings > Basic > App secret."
    return [Error("WHATSAPP_APP_SECRET contains something that isn't an app secret.", hint=hint, id="config.E002")]


@register(Tags.security, deploy=True)
def app_secrets_are_metas(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    hexadecimal = set("0123456789abcdef")
    if all(len(each) == APP_SECRET_DIGITS and set(each) <= hexadecimal for each in settings.WHATSAPP_APP_SECRETS):
        return []
    hint = "Meta's app secrets have 32 hexadecimal digits. Copy it again from App settings > Basic."
    return [Warning("WHATSAPP_APP_SECRET doesn't look like one of Meta's.", hint=hint, id="config.W001")]
