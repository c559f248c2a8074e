"""`manage.py doctor`: says what is wrong with this installation, and what to do."""

import json
import sys

from django.core.management.base import BaseCommand, CommandParser

from operations.doctor import database, installation, services, work
from operations.doctor.findings import Check, Level, Result, run

SECONDS = 30
BEFORE: dict[str, Check] = {"database": database.reachable}
NEEDS_DATABASE: dict[str, Check] = {
    "migrations": database.migrations,
    "database role": database.rights,
    "separation": database.separation,
    "database load": database.load,
    "tables": database.tables,
    "prepared statements": database.pooler,
    "clock": database.clock,
}
NEEDS_TABLES: dict[str, Check] = {
    "stored secrets": installation.stored_secrets,
    "workers": work.workers,
    "queues": work.queues,
    "known problems": work.broken,
    "models": services.models,
    "numbers": services.numbers,
}
ALONE: dict[str, Check] = {
    "settings": installation.system_checks,
    "Graph version": installation.graph_version,
    "disk": installation.disk,
    "storage": installation.storage,
    "email": installation.email,
    "Meta": services.meta,
    "webhook": services.callback,
}


class Command(BaseCommand):
    help = "Checks the whole installation. Exit code 0: all is well, 1: warnings, 2: errors. Changes nothing."
    requires_system_checks = []  # it reports them itself

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON, for monitoring")
        parser.add_argument("--seconds", type=float, default=SECONDS, help="the most that each of the checks may need")

    def handle(self, *args: object, seconds: float, **options: object) -> None:
        results = run(BEFORE, seconds)
        is_reachable = results[0].level < Level.ERROR
        has_tables = False
        if is_reachable:
            results += run(NEEDS_DATABASE, seconds)
            # Without a table, these would all say the same.
            has_tables = all(each.level < Level.ERROR for each in results if each.check == "migrations")
        results += run({**ALONE, **(NEEDS_TABLES if has_tables else {})}, seconds)
        worst = max(each.level for each in results)
        if options["json"]:
            left_out = [] if has_tables else list(NEEDS_TABLES)
            found = [each.as_json() for each in results]
            self.stdout.write(json.dumps({"level": worst.name.lower(), "findings": found, "left_out": left_out}))
        else:
            for each in results:
                self._print(each)
            if not has_tables:
                self.stdout.write(f"Not checked, because of the database: {', '.join(NEEDS_TABLES)}.")
        sys.exit(worst)

    def _print(self, result: Result) -> None:
        marks = {Level.OK: "ok      ", Level.WARNING: "warning ", Level.ERROR: "ERROR   "}
        styles = {Level.WARNING: self.style.WARNING, Level.ERROR: self.style.ERROR}
        style = styles.get(result.level, self.style.SUCCESS)
        self.stdout.write(f"{style(marks[result.level])}{result.check}: {result.text}")
        if result.remedy:
            self.stdout.write(f"        {result.remedy}")
