"""Creates what you need to try out Parley: an administrator, and a demo business with a number."""

import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from assistant.models import Assistant
from tenants.models import Membership, Tenant
from whatsapp.models import WhatsAppAccount
from whatsapp.webhook.signature import sign

ADMIN = "admin"
PHONE_NUMBER_ID = "100000000000001"
_BODY = (
    '{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":{'
    f'"metadata":{{"phone_number_id":"{PHONE_NUMBER_ID}"}},'
    '"messages":[{"from":"79001234567","type":"text","text":{"body":"Hello"}}]}}]}]}'
)


class Command(BaseCommand):
    help = "Creates demo data, unless it exists, and prints where to find everything."

    def handle(self, *args: object, **options: object) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo data is for development only. This command needs DEBUG=true.")
        with transaction.atomic():
            admin, login = _ensure_admin()
            _ensure_business(admin)
        self.stdout.write(_banner(login))


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
        return admin, f"user {ADMIN}   password {password}"
    return admin, f"user {ADMIN}   the password you chose"


def _remembered_password() -> str:
    """Generated once per folder: with a fixed one, anyone who reaches the port through a tunnel could sign in."""
    file = Path(settings.BASE_DIR) / ".data" / "admin-password"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(9))
    return file.read_text().strip()


def _ensure_business(admin: User) -> None:
    if settings.MULTITENANT_ENABLED:
        tenant, _ = Tenant.objects.get_or_create(slug="demo", defaults={"name": "Demo business"})
    else:
        tenant = Tenant.objects.single()
    Membership.objects.get_or_create(user=admin, tenant=tenant, defaults={"role": Membership.Role.OWNER})
    Assistant.objects.get_or_create(tenant=tenant)
    WhatsAppAccount.objects.get_or_create(
        phone_number_id=PHONE_NUMBER_ID, tenant=tenant, defaults={"display_phone_number": "+1 555 010 0001"}
    )


def _banner(login: str) -> str:
    url = settings.PUBLIC_URL
    phone = [f"Phone      {url}/sandbox/   write as a customer"] if settings.SANDBOX else []
    return "\n".join(
        [
            f"Parley     {url}/",
            f"Admin      {url}{reverse('admin:index')}   {login}",
            *phone,
            "",
            "To send a first message, run this in another terminal:",
            "",
            _curl(url),
            "",
            "A few seconds later, the conversation and the reply appear in the admin.",
        ]
    )


def _curl(url: str) -> str:
    headers = {"Content-Type": "application/json"}
    if settings.WHATSAPP_APP_SECRETS:
        headers["X-Hub-Signature-256"] = sign(_BODY.encode(), settings.WHATSAPP_APP_SECRETS[0])
    lines = [f'curl -X POST "{url}/api/whatsapp/webhook"']
    lines += [f'-H "{name}: {value}"' for name, value in headers.items()]
    return " \\\n  ".join([*lines, f"-d '{_BODY}'"])
