"""`manage.py create_database_roles`: one role to migrate, and one to run Parley."""

from argparse import ArgumentParser
from typing import Any
from urllib.parse import quote

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, connection

from runtime.row_security import roles


class Command(BaseCommand):
    help = (
        "Creates a database role that owns the tables and migrates, and one that runs Parley. Run it with the "
        "DATABASE_URL of a superuser, before the first migration or later, as often as you like."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--owner", help="the role that migrates; by default, the database's name and _owner")
        parser.add_argument("--app", help="the role that runs Parley; by default, the database's name and _app")

    def handle(self, *args: Any, **options: Any) -> None:
        connection.ensure_connection()
        server: psycopg.ConnectionInfo = connection.connection.info
        database = server.dbname
        owner, app = options["owner"] or f"{database}_owner", options["app"] or f"{database}_app"
        try:
            passwords = roles.create(owner, app)
        except ProgrammingError as error:
            raise CommandError(f"{error}Run this as a superuser, or as the administrator of your provider.") from error
        for role, purpose in ((owner, "To migrate"), (app, "To run Parley, in .env")):
            password = quote(passwords[role], safe="") if role in passwords else "its password"
            self.stdout.write(f"{purpose}:\n  DATABASE_URL={_url(role, password, server)}")


def _url(role: str, password: str, server: psycopg.ConnectionInfo) -> str:
    if server.host.startswith("/"):  # the folder of a socket
        return f"postgres://{role}:{password}@/{server.dbname}?host={server.host}&port={server.port}"
    return f"postgres://{role}:{password}@{server.host}:{server.port}/{server.dbname}"
