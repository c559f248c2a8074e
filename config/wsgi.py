"""What gunicorn serves: `config.wsgi`, or `config.wsgi:webhook` for processes that serve the webhook alone."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

from config.web.application import application, webhook  # noqa: E402 - models load after setup only

__all__ = ["application", "webhook"]
