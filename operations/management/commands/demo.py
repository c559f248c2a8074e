"""Creates what you need to try out Parley: an administrator, and a business that has been used for two weeks."""

import secrets
from argparse import BooleanOptionalAction
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.urls import reverse

from operations.demo import business, conversations, phone
from whatsapp.webhook.signature import sign

ADMIN = "admin"
PASSWORD_FILE = Path(".data") / "admin-password"
_BODY = (
    '{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":{'
    f'"metadata":{{"phone_number_id":"{business.PHONE_NUMBER_ID}"}},'
    '"messages":[{"from":"79001234567","type":"text","text":{"body":"Hello"}}]}}]}]}'
)


class Command(BaseCommand):
    help = (
        "Creates the demo's business, team and conversations, unless they exist, and prints where to find everything. "
        "`make reset` removes them, with all other data."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--again",
            action=BooleanOptionalAction,
            default=True,
            help="also add conversations of the demo that were deleted",
        )

    def handle(self, *args: object, again: bool, **options: object) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo is for development only. This command needs DEBUG=true.")
        with transaction.atomic():
            admin, login = _ensure_admin()
            tenant, is_new = business.ensure(admin)
            # With a real number, nobody should be able to write to people who don't exist.
            is_sandboxed = bool(settings.SANDBOX_URL) and settings.WHATSAPP_GRAPH_URL.startswith(settings.SANDBOX_URL)
            if is_sandboxed and (is_new or again):
                phone.fill(conversations.load(tenant, business.team(tenant)), tenant.name)
        self.stdout.write(_banner(tenant.name, login))


def _ensure_admin() -> tuple[User, str]:
    """Create the administrator. Returns how to sign in."""
    password = _remembered_password()
    admin, created = User.objects.get_or_create(
        username=ADMIN, defaults={"is_staff": True, "is_superuser": True, "email": "admin@example.com"}
    )
    if created:
        admin.set_password(password)
        admin.save(update_fields=["password"])
    if admin.check_password(password):
        return admin, f"user {ADMIN}, password {password} (also in {PASSWORD_FILE})"
    return admin, f"user {ADMIN}, and the password you chose"


def _remembered_password() -> str:
    """Generated once per folder: with a fixed one, anyone who reaches the port through a tunnel could sign in."""
    file = Path(settings.BASE_DIR) / PASSWORD_FILE
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(9))
    return file.read_text().strip()


def _banner(name: str, login: str) -> str:
    """The login comes last, where the log doesn't scroll it away at once."""
    url = settings.PUBLIC_URL
    admin = f"{url}{reverse('admin:index')}"
    lines = [
        "To send a message as a customer, run this in another terminal. The reply follows within seconds:",
        "",
        _curl(url),
        "",
    ]
    if not settings.WHATSAPP_APP_SECRETS:
        lines += ["No app secret is set, so webhooks needn't be signed.", ""]
    if settings.SANDBOX:
        lines += [
            "What next?",
            f"  1. Open the phone and ask {name} something, such as “How much is a cake for 12 people?”",
            "  2. Open Conversations in the admin, choose yours, and select Take over.",
            "  3. Change a price in the assistant's instructions, and ask again.",
            "",
            f"Phone    {url}/sandbox/",
        ]
    return "\n".join([*lines, f"Admin    {admin}", f"Sign in  {login}"])


def _curl(url: str) -> str:
    headers = {"Content-Type": "application/json"}
    if settings.WHATSAPP_APP_SECRETS:
        headers["X-Hub-Signature-256"] = sign(_BODY.encode(), settings.WHATSAPP_APP_SECRETS[0])
    lines = [f'curl -X POST "{url}/api/whatsapp/webhook"']
    lines += [f'-H "{name}: {value}"' for name, value in headers.items()]
    return " \\\n  ".join([*lines, f"-d '{_BODY}'"])
