"""The signed-in user, typed, and the name that colleagues see."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


def user_of(request: HttpRequest) -> User:
    """The user of an admin request. Raises PermissionDenied for anonymous requests."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def display_name(user: User) -> str:
    return user.get_full_name() or user.get_username()
