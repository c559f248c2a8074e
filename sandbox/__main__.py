"""`python -m sandbox`: the sandbox on its own, to test any WhatsApp bot against it (docs/sandbox.md)."""

import argparse
import os
import secrets
from pathlib import Path
from typing import Any

import django
import environ
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.servers.basehttp import run


def main() -> None:
    options = _options()
    settings.configure(**_settings(options))
    django.setup()
    call_command("migrate", verbosity=0)
    print(_banner(options), flush=True)
    try:
        run(options.host, options.port, StaticFilesHandler(WSGIHandler()), threading=True)
    except KeyboardInterrupt:
        print("\nStopped.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Stand-ins for Meta and a model.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8800")))
    parser.add_argument("--webhook", default="http://127.0.0.1:8000/webhook", help="the URL of the bot's webhook")
    parser.add_argument("--secret", default="", help="the app secret to sign webhooks with (default: unsigned)")
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Uses DATABASE_URL, or an embedded PostgreSQL in `.data/sandbox`."""
    return {
        "DEBUG": True,
        "SANDBOX": True,
        "SECRET_KEY": secrets.token_urlsafe(),
        "ALLOWED_HOSTS": ["*"],
        "PORT": options.port,
        "SANDBOX_WEBHOOK_URL": options.webhook,
        "WHATSAPP_APP_SECRETS": [options.secret] if options.secret else [],
        "INSTALLED_APPS": ["django.contrib.staticfiles", "sandbox"],
        "ROOT_URLCONF": "sandbox.standalone_urls",
        "STATIC_URL": "/static/",
        "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        "DATABASES": {"default": _database()},
        "DATA_UPLOAD_MAX_MEMORY_SIZE": 64 * 1024 * 1024,
        "USE_TZ": True,
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    }


def _database() -> dict[str, Any]:
    if os.environ.get("DATABASE_URL"):
        found: dict[str, Any] = environ.Env().db(engine="django.db.backends.postgresql")
        return found
    folder = Path.cwd() / ".data" / "sandbox" / "postgres"
    folder.parent.mkdir(parents=True, exist_ok=True)
    return {"ENGINE": "config.embedded_postgres", "NAME": "postgres", "DATA_FOLDER": str(folder)}


def _banner(options: argparse.Namespace) -> str:
    here = f"http://{options.host}:{options.port}/sandbox"
    signed = "signed" if options.secret else "unsigned (set --secret to sign them)"
    return (
        f"Phone        {here}/\n"
        f"Graph API    {here}/graph          accepts any token\n"
        f"Model        {here}/openai/v1      accepts any key\n"
        f"Weather      {here}/weather\n"
        f"Log          {here}/log\n"
        f"Webhooks go to {options.webhook}, {signed}. Press Ctrl-C to stop."
    )


if __name__ == "__main__":
    main()
