"""`manage.py settle_restore`: what `restore` does at its end, for a database that was restored in another way."""

import datetime as dt

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from operations.backup import restoring, settling
from operations.management.commands.restore import moment


class Command(BaseCommand):
    help = (
        "After a point-in-time recovery or another restore: leaves to the team whatever may have been answered or sent "
        "since. Run it before you start the web processes and the workers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("recovered_to", type=moment, help="the time to which the database was recovered")
        parser.add_argument("--answered-until", type=moment, metavar="TIME", help="as for `restore` (default: now)")

    def handle(
        self, *args: object, recovered_to: dt.datetime, answered_until: dt.datetime | None, **options: object
    ) -> None:
        restoring.refuse_while_in_use()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(settling.settle_sql(recovered_to, answered_until))
        self.stdout.write(f"Done. {restoring.held():,} conversations need a person: see the inbox.")
