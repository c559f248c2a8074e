"""The `.env` file: read by the settings, and written for development by the first `make run` or `make test`."""

import base64
import os
import secrets
from pathlib import Path

import environ

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


def read() -> None:
    """Read `.env`, or the file that the variable ENV_FILE names (none if it's empty). The environment wins."""
    if path := os.environ.get("ENV_FILE", str(ENV_FILE)):
        environ.Env.read_env(path, overwrite=False)


def write_for_development(path: Path = ENV_FILE) -> bool:
    """Write a `.env` with new secrets, unless there is one or the environment already has the settings."""
    if {"ENV_FILE", "SECRET_KEY"} & os.environ.keys() or not environ.Env().bool("DEBUG", default=True):
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
