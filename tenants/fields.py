"""A text column that is encrypted at rest."""

import functools
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text encrypted with Fernet (AES-128-CBC and HMAC-SHA256) under ``FIELD_ENCRYPTION_KEYS``.

    The newest key encrypts, all of them decrypt, so a key is rotated by putting the new one in front and
    saving each row once (`manage.py rotate_keys`). An empty value is stored as it is. A value that none of
    the keys opens raises: sending ciphertext to Meta as a token would only hide the mistake.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        if not value:
            return value
        try:
            return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                f"No key of FIELD_ENCRYPTION_KEYS opens {self.model._meta.db_table}.{self.column}. "
                "Put the key that encrypted it back at the end of the list."
            ) from error


@functools.cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
