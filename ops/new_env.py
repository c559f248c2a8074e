"""`python3 ops/new_env.py parley.example.com`: writes settings for a server into `.env`, with new secrets.

It needs nothing but Python, and never overwrites a file.
"""

import argparse
import base64
import os
import secrets
import sys

TEMPLATE = """\
# Parley's settings: docs/reference/settings.md describes each one. Keep this file secret, and a copy of it in a safe
# place: without FIELD_ENCRYPTION_KEYS, the access tokens in the database and in its backups are lost.
SECRET_KEY={secret_key}
FIELD_ENCRYPTION_KEYS={field_key}
ALLOWED_HOSTS={host}
PUBLIC_URL=https://{host}
BEHIND_TLS_PROXY=true
MULTITENANT_ENABLED=true
SUPERUSERS_NEED_TWO_FACTORS=true
METRICS_TOKEN={metrics_token}

# Enter this word in Meta's webhook form.
WHATSAPP_VERIFY_TOKEN={verify_token}
# Replace it with your Meta app's secret (App settings > Basic). Until then, Meta's deliveries are refused.
WHATSAPP_APP_SECRET={app_secret}

# The key for your model. Each business can also have its own.
OPENAI_API_KEY=

# The database.
POSTGRES_PASSWORD={database_password}
DATABASE_URL=postgres://parley:{database_password}@{database}/parley
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes settings for a server, with new secrets.")
    parser.add_argument("host", help="the public name, such as parley.example.com")
    parser.add_argument("--to", default=".env", metavar="FILE", help="the new file (default: %(default)s)")
    parser.add_argument(
        "--database", default="127.0.0.1:5432", help="PostgreSQL's host and port (default: %(default)s)"
    )
    options = parser.parse_args()
    text = TEMPLATE.format(
        host=options.host,
        database=options.database,
        secret_key=secrets.token_urlsafe(50),
        field_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        metrics_token=secrets.token_urlsafe(32),
        verify_token=secrets.token_urlsafe(16),
        app_secret=secrets.token_hex(16),
        database_password=secrets.token_hex(20),
    )
    try:
        descriptor = os.open(options.to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{options.to} exists already. Its keys open your data, so it isn't overwritten.")
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
