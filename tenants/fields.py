"""A text column that is encrypted at rest."""

import functools

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text encrypted with Fernet (AES-128-CBC and HMAC-SHA256) under ``FIELD_ENCRYPTION_KEYS``.

    The first key encrypts and all of them decrypt. To rotate keys, put the new key first and run
    `manage.py rotate_keys`. Empty values are stored as they are. Raises ImproperlyConfigured if no key decrypts a
    value.
    """

    def get_prep_value(self, value: str | None) -> str | None:
        value = super().get_prep_value(value)
        return encrypted(value) if value else value

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        return decrypted(value, f"{self.model._meta.db_table}.{self.column}") if value else value


def encrypted(value: str) -> str:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(value.encode()).decode()


def decrypted(value: str, column: str) -> str:
    """The text of a stored value; '' for an empty one. Raises ImproperlyConfigured, naming the column."""
    try:
        return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode() if value else ""
    except InvalidToken as error:
        raise ImproperlyConfigured(
            f"No key in FIELD_ENCRYPTION_KEYS decrypts {column}. Add the key that encrypted it to the end of the list."
        ) from error


@functools.cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
