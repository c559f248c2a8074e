"""Signing in and out, in the audit log."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from audit.acting import Actor
from audit.choices import Action, ActorKind
from audit.recording import businesses_of, record
from tenants.sign_in import client_ip
from tenants.users import actor_of, full_name

UNKNOWN = "Someone unknown"


@receiver(user_logged_in)
def signed_in(request: HttpRequest, user: User, **kwargs: object) -> None:
    record(Action.SIGNED_IN, businesses_of(user.pk), actor=actor_of(request, user))


@receiver(user_logged_out)
def signed_out(request: HttpRequest, user: User | None, **kwargs: object) -> None:
    if user:
        record(Action.SIGNED_OUT, businesses_of(user.pk), actor=actor_of(request, user))


@receiver(user_login_failed)
def password_refused(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: object) -> None:
    """A name that no account has isn't recorded: it may be a password. Nor is an attempt that was refused unchecked,
    because there were too many: they'd fill the log."""
    if getattr(request, "axes_locked_out", False) and request.axes_failures_since_start is None:  # type: ignore[union-attr]
        return
    user = User.objects.filter(username=str(credentials.get("username", "")).replace("\x00", "")).first()
    _refused(request, user, "")


@receiver(authentication_failed)
def factor_refused(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: object) -> None:
    _refused(request, user, "with a wrong second factor")


def _refused(request: HttpRequest | None, user: User | None, how: str) -> None:
    """By nobody: it isn't known to be the user."""
    name = full_name(user) if user else UNKNOWN
    who = Actor(ActorKind.NOBODY, name, user.pk if user else None, client_ip(request) if request else None)
    record(Action.SIGN_IN_FAILED, businesses_of(user.pk) if user else [None], object=how, actor=who)
