"""Environment variables and the `.env` file, which the first `make run` or `make test` writes for development."""

import base64
import builtins
import json
import math
import os
import secrets
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"
_DEVELOPMENT = """\
# Development settings, written by `make run` or `make test`. Don't use them in production.
# Keep this file as long as .data: FIELD_ENCRYPTION_KEYS opens the secrets stored there.
# Every setting is described in docs/reference/settings.md.
DEBUG=true
SANDBOX=true
SECRET_KEY={secret_key}
FIELD_ENCRYPTION_KEYS={encryption_key}
"""
_YES_OR_NO = {"true", "false", "on", "off", "yes", "no", "1", "0"}


class Environment(environ.Env):  # type: ignore[misc]
    """Raises ImproperlyConfigured for a bad value, with the variable's name and what to do."""

    def bool(self, name: str, default: builtins.bool = False) -> builtins.bool:
        given = os.environ.get(name)
        if given is not None and given.strip().lower() not in _YES_OR_NO:
            raise _bad(name, given, "true or false")
        return bool(super().bool(name, default=default))

    def int(self, name: str, default: builtins.int, most: builtins.int | None = None) -> builtins.int:
        """A whole number, 0 or more."""
        try:
            value = int(os.environ.get(name, default))
        except ValueError:
            value = -1
        if value < 0 or (most is not None and not 0 < value <= most):
            expected = f"a number from 1 to {most}" if most else "a whole number, 0 or more"
            raise _bad(name, os.environ[name], expected)
        return value

    def float(self, name: str, default: builtins.float) -> builtins.float:
        """A number, 0 or more."""
        try:
            value = float(os.environ.get(name, default))
        except ValueError:
            value = -1
        if not (math.isfinite(value) and value >= 0):
            raise _bad(name, os.environ[name], "a number, 0 or more")
        return value

    def json(self, name: str, default: dict[str, Any]) -> dict[str, Any]:
        """A JSON object."""
        try:
            value = json.loads(os.environ[name]) if name in os.environ else default
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise _bad(name, os.environ[name], "a JSON object, such as {}")
        return value

    def http_url(self, name: str, default: str) -> str:
        """A URL, without a slash at the end."""
        value = str(self.str(name, default=default)).strip().rstrip("/")
        if not value.startswith(("http://", "https://")) or " " in value or not value.partition("//")[2]:
            raise _bad(name, value, "a URL that starts with http:// or https://")
        return value

    def postgres_url(self, name: str) -> dict[str, Any] | None:
        """Django's entry for the database; None if the variable is empty."""
        given = str(self.str(name, default=""))
        if not given:
            return None
        if not given.startswith(("postgres://", "postgresql://")):
            # Without the value: it may hold a password.
            raise _bad(name, "", "a URL such as postgres://user:password@host:5432/name")
        found: dict[str, Any] = self.db(name, engine="django.db.backends.postgresql")
        return found


def _bad(name: str, given: str, expected: str) -> ImproperlyConfigured:
    value = f"is {given!r}" if given else "isn't valid"
    return ImproperlyConfigured(f"{name} {value}. Set it to {expected} (docs/reference/settings.md).")


def read() -> None:
    """Read `.env`, or the file that the variable ENV_FILE names (none if it's empty). The environment wins."""
    if path := os.environ.get("ENV_FILE", str(ENV_FILE)):
        environ.Env.read_env(path, overwrite=False)


def write_for_development(path: Path = ENV_FILE) -> bool:
    """Write a `.env` with new secrets, unless there is one or the environment already has the settings."""
    if {"ENV_FILE", "SECRET_KEY"} & os.environ.keys() or not Environment().bool("DEBUG", default=True):
        return False
    text = _DEVELOPMENT.format(
        secret_key=secrets.token_urlsafe(50), encryption_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


if __name__ == "__main__":
    if write_for_development():
        print("Created .env with development settings (DEBUG=true, SANDBOX=true) and new secrets.")
