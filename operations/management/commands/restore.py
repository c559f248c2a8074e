"""`manage.py restore`: puts a backup back, or tries it out."""

import datetime as dt
import sys
from pathlib import Path

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils.dateparse import parse_datetime

from operations.backup import parts, restoring, writing


def moment(text: str) -> dt.datetime:
    """A time with its time zone."""
    found = parse_datetime(text)
    if found is None or found.tzinfo is None:
        raise ValueError(text)
    return found


class Command(BaseCommand):
    help = "Restores a backup. Whatever may have been answered or sent since then is left to the team."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a backup, or a folder of backups: the newest is restored")
        parser.add_argument(
            "--drill", action="store_true", help="restore into a scratch database, check it and drop it"
        )
        parser.add_argument("--overwrite", action="store_true", help="delete everything in the database first")
        parser.add_argument("--yes", action="store_true", help="don't ask")
        parser.add_argument("--identity", default="", metavar="FILE", help="the file with your age key")
        parser.add_argument(
            "--answered-until",
            type=moment,
            metavar="TIME",
            help="when the lost installation stopped answering, such as 2026-11-27T10:30:00Z. Messages that customers "
            "sent later are answered as usual when Meta delivers them (default: now)",
        )

    def handle(
        self,
        *args: object,
        folder: Path,
        drill: bool,
        overwrite: bool,
        yes: bool,
        identity: str,
        answered_until: dt.datetime | None,
        **options: object,
    ) -> None:
        if not (folder / parts.MANIFEST).exists():
            folder = next(reversed(writing.existing(folder)), folder)
        self.stdout.write(f"Checking {folder} …")
        manifest = restoring.opened(folder)
        self.stdout.write(
            f"A backup of {manifest.taken_at} by Parley {manifest.version}: {sum(manifest.tables.values()):,} rows, "
            f"{manifest.files:,} files."
        )
        if drill:
            if problems := restoring.drill(folder, manifest, identity):
                raise CommandError("\n".join(["The drill failed:", *problems]))
            self.stdout.write(
                self.style.SUCCESS("The drill succeeded: every row and file is there, and every promise holds.")
            )
            return
        self._confirm(overwrite, yes)
        restoring.refuse_while_in_use()
        stored = restoring.restore_files(folder, manifest, identity)
        restoring.restore_database(folder, manifest, identity, answered_until)
        call_command("migrate", interactive=False, verbosity=0)
        held = restoring.held()
        self.stdout.write(
            f"Restored, with {stored:,} files that were missing. {held:,} conversations need a person, as they may "
            "have been answered since the backup: see the inbox. You can start the web processes and the workers now."
        )

    def _confirm(self, overwrite: bool, yes: bool) -> None:
        losing = restoring.rows_to_lose()
        if not losing:
            return
        name = connection.settings_dict["NAME"]
        found = ", ".join(f"{count:,} rows in {table}" for table, count in losing.items())
        if not overwrite:
            raise CommandError(f"The database {name} isn't empty: {found}. To delete all of it first, use --overwrite.")
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError("To overwrite a database without being asked, use --yes.")
        answer = input(f"This deletes everything in the database {name}: {found}. Type its name to continue: ")
        if answer != name:
            raise CommandError("Nothing was changed.")
