"""After `manage.py rotate_keys`, the old key can be removed."""

from io import StringIO
from typing import Any

from cryptography.fernet import Fernet
from django.core.management import call_command

from assistant.models import Assistant
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount


def test_the_new_key_alone_decrypts_every_secret(db: None, settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    tenant = Tenant.objects.create(name="North", slug="north")
    WhatsAppAccount.objects.create(tenant=tenant, phone_number_id="1001", access_token="token", app_secret="secret")
    Assistant.objects.create(tenant=tenant, api_key="key")

    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    assert "whatsapp_accounts: 1 rows, access_token, app_secret" in out.getvalue()

    settings.FIELD_ENCRYPTION_KEYS = [new]
    account = WhatsAppAccount.objects.get()
    assert (account.access_token, account.app_secret, Assistant.objects.get().api_key) == ("token", "secret", "key")
