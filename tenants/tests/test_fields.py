"""Secrets are encrypted at rest, and keys can be rotated."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from tenants.fields import EncryptedTextField
from tenants.models import Tenant

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def field() -> EncryptedTextField:
    """A field as on a model, without adding a model to the project."""
    one = EncryptedTextField(blank=True, default="")
    one.set_attributes_from_name("secret")
    one.model = Tenant
    return one


def through(value: str) -> str:
    return str(field().get_prep_value(value))


def back(stored: str | None) -> str | None:
    return field().from_db_value(stored, None, connection)


def test_the_column_holds_no_plain_text_and_decrypts_completely(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    assert "токен" not in through("токен")
    assert back(through("токен")) == "токен"


def test_an_empty_secret_stays_empty(settings: Any) -> None:
    assert (through(""), back(""), back(None)) == ("", "", None)


def test_the_newest_key_encrypts_and_older_keys_still_decrypt(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    stored = through("token")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert back(stored) == "token"
    fresh = through("token")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert back(fresh) == "token"


def test_a_secret_that_no_key_decrypts_says_what_to_do(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    stored = through("token")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        back(stored)
