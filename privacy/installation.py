"""What the whole installation keeps about signing in, and for how long."""

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.db.models.functions import Now

from runtime.clock import ago
from runtime.jobs import BATCH

from . import rows

SIGN_INS_DAYS = 90  # longer than a sign-in counts for the limits: see `tenants.sign_in`


def delete_old_sign_ins() -> int:
    """Delete old attempts to sign in, and who was signed in when. A recurring function."""
    return max(
        rows.delete_some(model.objects.filter(attempt_time__lt=ago(SIGN_INS_DAYS * 86_400)), BATCH).total()
        for model in (AccessAttempt, AccessLog, AccessFailureLog)
    )


def delete_expired_sessions() -> int:
    """Delete sessions that have expired. A recurring function."""
    return rows.delete_some(Session.objects.filter(expire_date__lt=Now()), BATCH).total()
