"""`manage.py backup`: the database and the files, in a new folder."""

import shutil
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from operations.backup import writing


class Command(BaseCommand):
    help = "Backs up the database and the stored files into a new folder in FOLDER, named after the time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--encrypt-to",
            action="append",
            metavar="RECIPIENT",
            help="encrypt for this age or SSH public key, or this key of gpg; repeat it for several "
            "(default: BACKUP_ENCRYPT_TO)",
        )
        parser.add_argument("--without-files", action="store_true", help="only the database")
        parser.add_argument("--keep", type=int, metavar="N", help="afterwards, delete all backups but the newest N")

    def handle(
        self,
        *args: object,
        folder: Path,
        encrypt_to: list[str] | None,
        without_files: bool,
        keep: int | None,
        **options: object,
    ) -> None:
        made, manifest = writing.write(folder, encrypt_to or settings.BACKUP_ENCRYPT_TO, not without_files)
        size = sum(part.size for part in manifest.parts)
        self.stdout.write(
            f"Backed up {sum(manifest.tables.values()):,} rows and {manifest.files:,} files "
            f"({size / 1024 / 1024:,.1f} MB): {made}"
        )
        for old in writing.existing(folder)[:-keep] if keep else ():
            shutil.rmtree(old)
            self.stdout.write(f"Deleted {old}")
