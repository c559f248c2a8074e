"""The database: a PostgreSQL server named by `DATABASE_URL`, or the embedded one."""

from pathlib import Path
from typing import Any

from environ import Env


def default_database(env: Env, folder: Path) -> dict[str, Any]:
    """Django's `DATABASES["default"]`. folder: the project's, where the embedded PostgreSQL keeps its data."""
    if env.str("DATABASE_URL", default=""):
        chosen = env.db("DATABASE_URL", engine="django.db.backends.postgresql")
    else:
        chosen = {
            "ENGINE": "config.embedded_postgres",
            "NAME": "postgres",
            "DATA_FOLDER": env.str("EMBEDDED_POSTGRES_FOLDER", default=str(folder / ".data" / "postgres")),
        }
    # Nothing may hold a lock, run or sit in a transaction for long. In seconds; 0 leaves it to the server or the role,
    # as a pooler needs that doesn't accept startup parameters.
    timeouts = {
        "lock_timeout": env.float("DATABASE_LOCK_SECONDS", default=5),
        "statement_timeout": env.float("DATABASE_STATEMENT_SECONDS", default=30),
        "idle_in_transaction_session_timeout": env.float("DATABASE_IDLE_SECONDS", default=60),
    }
    options = [f"-c {name}={seconds * 1000:.0f}" for name, seconds in timeouts.items() if seconds]
    if own := chosen.get("OPTIONS", {}).get("options"):
        options.append(own)  # those of DATABASE_URL win
    return {
        **chosen,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # A server that swallows packets must not hang the webhook: Meta delivers again.
        # With a threshold of None, Django's default, psycopg prepares nothing, not even in `runtime/prepared.py`.
        "OPTIONS": {
            "connect_timeout": 5,
            "prepare_threshold": 5,
            **chosen.get("OPTIONS", {}),
            **({"options": " ".join(options)} if options else {}),
        },
        "TEST": {"NAME": env.str("TEST_DATABASE_NAME", default=None)},
    }
