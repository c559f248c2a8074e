"""Whether a session was opened with two factors, and what happens when a factor is added or removed."""

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY, get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from audit.choices import Action
from audit.recording import businesses_of, record
from audit.watching import quietly

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def was_used(request: HttpRequest) -> bool:
    """Whether this session's user proved a second factor in it: signing in, setting it up, or confirming access."""
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))


@receiver(authenticator_added)
def was_added(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: object) -> None:
    """Setting up a factor proves it."""
    if authenticator.type in FACTORS:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


@receiver(authenticator_removed)
def was_removed(request: HttpRequest, user: User, **kwargs: object) -> None:
    """Whoever removes their last factor has to set up another one immediately if their role requires it."""
    if not Authenticator.objects.filter(user=user, type__in=FACTORS).exists():
        records = get_authentication_records(request, user)
        request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [each for each in records if each["method"] != "mfa"]


def reset(user: User) -> int:
    """Remove a user's factors and recovery codes, and end their sessions. Returns the number of factors."""
    with transaction.atomic():
        factors = int(Authenticator.objects.filter(user=user, type__in=FACTORS).count())
        with quietly():
            Authenticator.objects.filter(user=user).delete()
        record(Action.FACTORS_RESET, businesses_of(user.pk), user)
        for session in UserSession.objects.filter(user=user):
            session.end()
    return factors
