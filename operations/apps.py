"""The app for running and monitoring the installation."""

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class OperationsConfig(AppConfig):
    name = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        pre_migrate.connect(lift_timeouts)
        post_migrate.connect(restore_timeouts)


def lift_timeouts(using: str, **kwargs: object) -> None:
    """A migration may take a long time. But it gives up waiting for a lock, instead of blocking everyone behind it."""
    with connections[using].cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")


def restore_timeouts(using: str, **kwargs: object) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute("RESET statement_timeout; RESET idle_in_transaction_session_timeout")
