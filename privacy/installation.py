"""What the whole installation keeps about signing in, and for how long."""

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.db.models.functions import Now

from runtime.clock import ago
from runtime.jobs import BATCH

SIGN_INS_DAYS = 90  # longer than a sign-in counts for the limits: see `tenants.sign_in`


def delete_old_sign_ins() -> int:
    """Delete old attempts to sign in, and who was signed in when. A recurring function."""
    deleted = []
    for model in (AccessAttempt, AccessLog, AccessFailureLog):
        old = model.objects.filter(attempt_time__lt=ago(SIGN_INS_DAYS * 86_400)).order_by("pk")
        number, _ = model.objects.filter(pk__in=old.values("pk")[:BATCH]).delete()
        deleted.append(number)
    return int(max(deleted))


def delete_expired_sessions() -> int:
    """Delete sessions that have expired. A recurring function."""
    expired = Session.objects.filter(expire_date__lt=Now()).order_by("pk")
    deleted: int = Session.objects.filter(pk__in=expired.values("pk")[:BATCH]).delete()[0]
    return deleted
