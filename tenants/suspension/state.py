"""Suspending a business and resuming it.

While it's suspended, its messages are stored, but nothing is answered or sent, its members see why, and its API keys
are refused. Once it's resumed, `privacy.resuming` goes on with what waited.
"""

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models.functions import Now

from audit.watching import update
from runtime import jobs
from runtime.notify import notify_workers_on_commit
from tenants.models import MemberRole, Tenant

EMAIL_TASK = "tenants.tasks.email_suspension"
RESUME_TASK = "privacy.tasks.resume_tenant"


def suspend(tenant: Tenant, user: User, note: str = "") -> bool:
    """False if it's suspended already. note: what its members are told."""
    with transaction.atomic():
        changes = {"suspended_at": Now(), "suspended_by": user, "suspension_note": note}
        suspended = update(Tenant.objects.filter(pk=tenant.pk, is_active=True), is_active=False, **changes)
        if suspended and settings.EMAIL_URL:
            jobs.defer(EMAIL_TASK, {"tenant_id": tenant.pk})
    return bool(suspended)


def resume(tenant: Tenant) -> bool:
    """False if it isn't suspended, or is being deleted."""
    with transaction.atomic():
        rows = Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk, is_active=False)
        suspended = rows.filter(deletion_requested_at=None).first()
        if suspended is None:
            return False
        since = suspended.suspended_at or suspended.created_at
        changes = {"suspended_at": None, "suspended_by": None, "suspension_note": ""}
        update(Tenant.objects.filter(pk=tenant.pk), is_active=True, **changes)
        jobs.defer(RESUME_TASK, {"tenant_id": tenant.pk, "since": since.isoformat(), "after": 0})
        if settings.EMAIL_URL:
            jobs.defer(EMAIL_TASK, {"tenant_id": tenant.pk})
        notify_workers_on_commit()
    return True


def email_for(tenant_id: int) -> EmailMessage | None:
    """What its owners are told about its state as it is now. None if nobody has an email address."""
    tenant = Tenant.objects.filter(pk=tenant_id, deletion_requested_at=None).first()
    owners = User.objects.filter(memberships__tenant=tenant_id, memberships__role=MemberRole.OWNER, is_active=True)
    addresses = list(owners.exclude(email="").values_list("email", flat=True))
    if tenant is None or not addresses:
        return None
    if tenant.is_active:
        text = "Parley answers your customers again, those who wrote in the meantime included."
        return EmailMessage(f"{tenant} is active again", f"{text}\n\n{settings.PUBLIC_URL}\n", to=addresses)
    text = (
        f"Whoever runs this Parley installation has suspended {tenant}. Messages from your customers are still "
        "stored, but nothing is answered or sent, nobody in your team can sign in, and your API keys are refused."
    )
    note = f"\n\n{tenant.suspension_note}" if tenant.suspension_note else ""
    return EmailMessage(f"{tenant} is suspended", f"{text}{note}\n", to=addresses)
