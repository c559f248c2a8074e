"""When an account may be active.

The active account of a number gets all its messages. So Meta has to confirm that the number is theirs.
"""

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from audit import watching
from runtime.row_security.scope import all_businesses
from tenants.access import Person, is_installation_admin

from .graph import connection_check
from .graph.connection_check import Finding
from .models import WhatsAppAccount

TAKEN = "This number is already active in another account. Ask the administrator of this installation."


def needs_confirmation(account: WhatsAppAccount, person: Person) -> bool:
    """Whether Meta has to confirm the number before this person may save the account as active.

    Superusers vouch for a number themselves, and in development there's nothing to protect.
    """
    if not account.is_active or settings.DEBUG or is_installation_admin(person):
        return False
    return not _same(account).filter(is_active=True).exists()


def is_taken(account: WhatsAppAccount) -> bool:
    """Whether another account is active with this number."""
    others = WhatsAppAccount.objects.filter(phone_number_id=account.phone_number_id, is_active=True)
    with all_businesses():
        return account.is_active and others.exclude(pk=account.pk).exists()


def confirm(account: WhatsAppAccount) -> list[Finding]:
    """Ask Meta about a stored account, and activate it if Meta confirms that it's theirs."""
    findings = connection_check.check(account)
    if connection_check.is_confirmed(findings) and not account.is_active:
        findings.append(_activate(account))
    return findings


def _activate(account: WhatsAppAccount) -> Finding:
    try:
        with transaction.atomic():
            # Only what Meta was asked about: someone may have entered another number meanwhile.
            is_done = watching.update(_same(account), is_active=True)
    except IntegrityError:
        return Finding(False, TAKEN)
    return Finding(bool(is_done), "The account is active." if is_done else "The account was changed. Test it again.")


def _same(account: WhatsAppAccount) -> "QuerySet[WhatsAppAccount]":
    """The stored row, if it has the same number and WABA."""
    return WhatsAppAccount.objects.filter(
        pk=account.pk, phone_number_id=account.phone_number_id, waba_id=account.waba_id
    )
