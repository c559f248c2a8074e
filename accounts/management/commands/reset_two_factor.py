"""`manage.py reset_two_factor USERNAME`: for a superuser who lost their second factor and has nobody to ask."""

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import two_factor


class Command(BaseCommand):
    help = "Removes a user's second factors and recovery codes, and ends their sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: object, username: str, **options: object) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There's no user named {username}.")
        self.stdout.write(f"Second factors removed: {two_factor.reset(user)}. {username}'s sessions have ended.")
