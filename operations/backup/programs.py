"""PostgreSQL's own programs: which ones to use, and how they reach the database."""

import os
import re
import shutil
import subprocess

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from psycopg.conninfo import make_conninfo


def program(name: str) -> str:
    """The path of `pg_dump`, `pg_restore` or `psql`, at least as new as the server."""
    connection.ensure_connection()
    server = connection.connection.info.server_version // 10000
    seen = []
    for folder in settings.POSTGRES_FOLDERS:
        if path := shutil.which(name, path=folder):
            version = _major(path)
            if version >= server:
                return path
            seen.append(f"{path} is version {version}")
    found = f" ({', '.join(seen)})" if seen else ""
    raise CommandError(
        f"The server needs {name} {server} or newer{found}. Install PostgreSQL's client programs (on Debian: "
        f"apt install postgresql-client-{server}), or set POSTGRES_FOLDER to the folder that has them."
    )


def _major(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


def address(database: str = "") -> tuple[str, dict[str, str]]:
    """A connection string without the password, and the environment with it. database: another one of this server."""
    connection.ensure_connection()
    known = connection.connection.info.get_parameters()
    given = {name: value for name, value in connection.get_connection_params().items() if name in known}
    password = connection.settings_dict.get("PASSWORD") or ""
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    return make_conninfo(**{**given, **({"dbname": database} if database else {})}), environment
