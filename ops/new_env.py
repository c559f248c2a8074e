"""`python3 ops/new_env.py parley.example.com`: prints settings for a server, with new secrets. Needs nothing but Python."""

import argparse
import base64
import secrets

TEMPLATE = """\
# Parley's settings: docs/reference/settings.md describes each one. Keep this file secret, and a copy of it in a safe place:
# without FIELD_ENCRYPTION_KEYS, the access tokens in the database and in its backups are lost.
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
    parser = argparse.ArgumentParser(description="Prints settings for a server, with new secrets.")
    parser.add_argument("host", help="the public name, such as parley.example.com")
    parser.add_argument(
        "--database", default="127.0.0.1:5432", help="host and port of PostgreSQL (default: %(default)s)"
    )
    options = parser.parse_args()
    print(
        TEMPLATE.format(
            host=options.host,
            database=options.database,
            secret_key=secrets.token_urlsafe(50),
            field_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            metrics_token=secrets.token_urlsafe(32),
            verify_token=secrets.token_urlsafe(16),
            app_secret=secrets.token_hex(16),
            database_password=secrets.token_hex(20),
        ),
        end="",
    )


if __name__ == "__main__":
    main()
