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
    # Limits on how long a statement may run, wait for a lock or idle in a transaction. In seconds; 0 leaves it to the
    # server or the role, which poolers that don't accept startup parameters need.
    timeouts = {
        "lock_timeout": env.float("DATABASE_LOCK_SECONDS", default=5),
        "statement_timeout": env.float("DATABASE_STATEMENT_SECONDS", default=30),
        "idle_in_transaction_session_timeout": env.float("DATABASE_IDLE_SECONDS", default=60),
    }
    options = [f"-c {name}={seconds * 1000:.0f}" for name, seconds in timeouts.items() if seconds]
    if own := chosen.get("OPTIONS", {}).get("options"):
        options.append(own)  # DATABASE_URL's own options take precedence
    return {
        **chosen,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # A server that drops packets must not hang the webhook: Meta will deliver again. With Django's default
        # threshold of None, psycopg prepares nothing, not even in `runtime/prepared.py`.
        "OPTIONS": {
            "connect_timeout": 5,
            "prepare_threshold": 5,
            **chosen.get("OPTIONS", {}),
            **({"options": " ".join(options)} if options else {}),
        },
        "TEST": {"NAME": env.str("TEST_DATABASE_NAME", default=None)},
    }
