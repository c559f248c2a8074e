"""A new password by email. Only the owner of an account's confirmed address gets the link."""

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.contenttypes.models import ContentType
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from runtime.clock import ago
from tenants.invitations.inviting import account_of

EMAIL_TASK = "tenants.tasks.email_password_reset"
AN_HOUR = 3  # emails to one account
ASKED = "Asked for a password reset by email."


def email_for(address: str) -> EmailMessage | None:
    """The email with a link; None if no account has this address, or it has had several already."""
    user = account_of(address)
    if user is None or not user.is_active or not user.has_usable_password() or _was_asked_often(user):
        return None
    parts = [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]
    link = f"{settings.PUBLIC_URL}{reverse('password_reset_confirm', args=parts)}"
    return EmailMessage(
        "Reset your password for Parley",
        f"Someone asked to reset the password of {user.get_username()} on Parley.\n\nChoose a new password within "
        f"{settings.PASSWORD_RESET_TIMEOUT // 60} minutes:\n{link}\n\nIf it wasn't you, ignore this email. Your "
        "password stays as it is.\n",
        to=[user.email],
    )


def _was_asked_often(user: User) -> bool:
    kind = ContentType.objects.get_for_model(User)
    about = {"content_type": kind, "object_id": str(user.pk), "change_message": ASKED}
    if LogEntry.objects.filter(**about, action_time__gte=ago(3600)).count() >= AN_HOUR:
        return True
    LogEntry.objects.create(**about, user=user, object_repr=str(user), action_flag=CHANGE)
    return False
