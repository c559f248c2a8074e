"""What holds for every request of a signed-in user: they see the rows of their businesses, they use two factors if
their role requires it, there's a list of their sessions, it's them whom the audit log names, and a page says so if
their business is suspended.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context

from allauth.account.adapter import get_adapter
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from rest_framework.authentication import SessionAuthentication
from rest_framework.views import APIView

from audit.acting import acting
from runtime.row_security import scope
from tenants.access import is_shut_out, must_use_two_factors, scope_of, suspended_businesses
from tenants.users import actor_of, user_of

from . import recording, two_factor

__all__ = ["SignedInMiddleware", "recording"]  # the latter is imported to listen

NOTED_EVERY = 300  # seconds: how exact “last seen” is
_NOTED = "noted"
AGENT_LENGTH = UserSession._meta.get_field("user_agent").max_length
# Setting up a second factor (allauth's pages are named mfa_…), confirming who you are, and signing out.
OPEN = {"account_reauthenticate", "account_logout", "logout", "sign_in_again"}
ABOUT_NOBODY = {"healthz", "readyz"}  # they answer without a database, too
SUSPENDED = "Your business is suspended."
REQUIRED = "Your role requires two-factor authentication. Set it up to continue."


class SignedInMiddleware:
    """Whoever must use two factors can do nothing until they have: no page, no file, no poll, no form.

    API keys and admin tokens aren't sessions. They're unaffected.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Until it's known whose request it is, it sees nothing."""
        with scope.within(scope.NOTHING), acting(lambda: actor_of(request)):
            response = self.get_response(request)
            if response.streaming and not isinstance(response, FileResponse):
                response.streaming_content = _in_this_scope(response.streaming_content)  # type: ignore[attr-defined]
            return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: object, kwargs: object
    ) -> HttpResponse | None:
        name = request.resolver_match.url_name if request.resolver_match else None
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or name in ABOUT_NOBODY or _ignores_sessions(view):
            return None
        if not request.user.is_authenticated:
            return None
        scope.enter(scope_of(request.user))
        _note(request)
        if is_shut_out(request.user) and name not in OPEN:
            return _shut_out(request)
        if two_factor.was_used(request) or not must_use_two_factors(request.user):
            return None
        if name and (name in OPEN or name.startswith("mfa_")):
            return None
        return _refused(request)


def _in_this_scope(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """They're made after the request has ended."""
    context, made = copy_context(), iter(chunks)
    return iter(lambda: context.run(next, made, None), None)


def _ignores_sessions(view: Callable[..., HttpResponse]) -> bool:
    """Whether it's a view of the API that looks only at a key or a token."""
    api_view = getattr(view, "cls", None)
    return (
        isinstance(api_view, type)
        and issubclass(api_view, APIView)
        and not any(issubclass(each, SessionAuthentication) for each in api_view.authentication_classes)
    )


def _note(request: HttpRequest) -> None:
    """Keep the row of this session in the list of the user's sessions up to date."""
    noted = {"key": request.session.session_key, "at": time.time()}
    before = request.session.get(_NOTED, {})
    if before.get("key") != noted["key"] or noted["at"] - before["at"] > NOTED_EVERY:
        row = UserSession(
            session_key=request.session.session_key,
            user=user_of(request),
            ip=get_adapter().get_client_ip(request),
            user_agent=request.headers.get("User-Agent", "")[:AGENT_LENGTH],
        )
        UserSession.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["session_key"],
            update_fields=["user", "ip", "user_agent", "last_seen_at"],
        )
        request.session[_NOTED] = noted


def _shut_out(request: HttpRequest) -> HttpResponse:
    """All of the user's businesses are suspended."""
    if "text/html" not in request.headers.get("Accept", ""):
        return JsonResponse({"detail": SUSPENDED}, status=403)
    context = {"suspended": suspended_businesses(request.user)}
    return render(request, "accounts/suspended.html", context, status=403)


def _refused(request: HttpRequest) -> HttpResponse:
    """A browser is led to where a second factor is set up or used; anything else gets 403."""
    if request.method != "GET" or "text/html" not in request.headers.get("Accept", ""):
        return JsonResponse({"detail": REQUIRED}, status=403)
    if is_mfa_enabled(user_of(request), two_factor.FACTORS):
        return redirect_to_login(request.get_full_path(), reverse("mfa_reauthenticate"))
    messages.warning(request, REQUIRED)
    return redirect("mfa_index")
