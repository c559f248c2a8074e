"""Prepares the database for searching by meaning, after pgvector was installed on its server."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import vectors


class Command(BaseCommand):
    help = "Prepares the database for searching knowledge by meaning. PostgreSQL needs pgvector. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        if reason := vectors.enable():
            raise CommandError(reason)
        self.stdout.write("Vectors are enabled. Set an embedding model in an assistant's settings to use them.")
