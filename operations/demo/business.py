"""The demo's business: its number, assistant, opening hours and team."""

import tomllib
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from assistant.models import Assistant
from leads.models import LeadField
from tenants.hours import WEEKDAYS
from tenants.models import Membership, OpeningHours, Tenant
from whatsapp.models import WhatsAppAccount

# The sandbox's first number. On its phone, too, it belongs to Harbour Bakery.
PHONE_NUMBER_ID, PHONE, WABA_ID = "100000000000001", "+15550000001", "102290129340398"
_GIVEN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def ensure(admin: User) -> tuple[Tenant, bool]:
    """The business, and whether it was created now. What's there already stays as it is."""
    account = WhatsAppAccount.objects.filter(phone_number_id=PHONE_NUMBER_ID).select_related("tenant").first()
    if account is not None:
        return account.tenant, False
    if settings.MULTITENANT_ENABLED:
        tenant, _ = Tenant.objects.get_or_create(slug="demo", defaults={"name": _GIVEN["name"]})
    else:
        tenant = Tenant.objects.single()
        tenant.name = _GIVEN["name"]
        tenant.save(update_fields=["name"])
    WhatsAppAccount.objects.create(
        tenant=tenant, phone_number_id=PHONE_NUMBER_ID, display_phone_number=PHONE, waba_id=WABA_ID
    )
    Membership.objects.get_or_create(user=admin, tenant=tenant, defaults={"role": Membership.Role.OWNER})
    Assistant.objects.get_or_create(
        tenant=tenant, defaults={"instructions": _GIVEN["instructions"].strip(), "sees_images": True}
    )
    weekly = dict.fromkeys(WEEKDAYS, _GIVEN["weekdays"]) | {"sunday": _GIVEN["sunday"]}
    OpeningHours.objects.get_or_create(tenant=tenant, defaults={"time_zone": _GIVEN["time_zone"], **weekly})
    for lead_field in _GIVEN["lead_fields"]:
        LeadField.objects.get_or_create(tenant=tenant, name=lead_field["name"], defaults=lead_field)
    return tenant, True


def team(tenant: Tenant) -> dict[str, User]:
    """The members by username. They can't sign in: they have no password."""
    members = {}
    for person in _GIVEN["team"]:
        member, created = User.objects.get_or_create(username=person["username"], defaults={**person, "is_staff": True})
        if created:
            member.set_unusable_password()
            member.save(update_fields=["password"])
        Membership.objects.get_or_create(user=member, tenant=tenant)
        members[member.username] = member
    return members
