"""`manage.py api_key`: generate an API key, or an admin token, and print it."""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from api.keys import generate, generate_admin_token
from api.models import ApiKey
from tenants.models import Tenant


class Command(BaseCommand):
    help = "Generates an API key of a business and prints it. It's shown only once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--business", help="the business's slug (default: the only one)")
        parser.add_argument("--user", help="who it acts for (default: the first superuser)")
        parser.add_argument("--name", default="Command line", help="what will use it")
        parser.add_argument("--read-only", action="store_true", help="it can only read")
        parser.add_argument(
            "--admin-token", action="store_true", help="an admin token instead, replacing the user's own"
        )

    def handle(
        self,
        *args: object,
        business: str | None,
        user: str | None,
        name: str,
        read_only: bool,
        admin_token: bool,
        **options: object,
    ) -> None:
        owner = _user(user)
        if admin_token:
            self.stdout.write(generate_admin_token(owner))
            return
        scope = ApiKey.Scope.READ if read_only else ApiKey.Scope.WRITE
        key = ApiKey(tenant=_business(business), name=name, scope=scope)
        try:
            key.clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        token = generate(key, owner)
        with transaction.atomic():
            key.save()
        self.stdout.write(token)


def _user(username: str | None) -> User:
    people = User.objects.filter(is_active=True, is_staff=True)
    found = people.filter(username=username) if username else people.filter(is_superuser=True).order_by("pk")
    if (user := found.first()) is None:
        raise CommandError(f"There's no staff user {username!r}." if username else "There's no superuser.")
    return user


def _business(slug: str | None) -> Tenant:
    tenants = list(Tenant.objects.filter(slug=slug) if slug else Tenant.objects.all()[:2])
    if len(tenants) != 1:
        slugs = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"Name one of the businesses with --business: {slugs}.")
    return tenants[0]
