"""Sensitive pages open only for someone who signed in, or confirmed that it's them, a few minutes ago."""

import functools
import time
from collections.abc import Callable

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase

View = Callable[..., HttpResponseBase]


def was_recent(request: HttpRequest) -> bool:
    records = get_authentication_records(request, request.user)
    return bool(records) and time.time() - float(records[-1]["at"]) < int(app_settings.REAUTHENTICATION_TIMEOUT)


def recently_required(view: View) -> View:
    """Asks for the password or the second factor first. A form that was sent too late has to be filled in again:
    what was entered, such as a password, isn't kept.
    """

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if was_recent(request):
            return view(request, *args, **kwargs)
        method = get_adapter().get_reauthentication_methods(request.user)[0]
        return redirect_to_login(request.get_full_path(), method["url"])

    return checked
