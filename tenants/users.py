"""The signed-in user, typed, the name that colleagues see, and the one in the audit log."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from audit.acting import Actor
from audit.choices import ActorKind

from .sign_in import client_ip


def user_of(request: HttpRequest) -> User:
    """The user of an admin request. Raises PermissionDenied for anonymous requests."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def display_name(user: User) -> str:
    return user.get_full_name() or user.get_username()


def full_name(user: User) -> str:
    """A name that stays clear when the account is gone."""
    name, account = user.get_full_name(), user.email or user.get_username()
    return f"{name} ({account})" if name else account


def actor_of(request: HttpRequest, user: User | None = None) -> Actor | None:
    """Whoever makes this request; None if they aren't signed in. user: someone who is about to be."""
    someone = user or getattr(request, "user", None)
    if not isinstance(someone, User):
        return None
    return Actor(ActorKind.PERSON, full_name(someone), someone.pk, client_ip(request))
