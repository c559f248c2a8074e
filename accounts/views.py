"""Signing in, confirming it's you without a password, and the list of your sessions."""

import logging
from typing import Any

import requests
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from allauth.usersessions.internal.flows.sessions import end_other_sessions, end_sessions
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from audit.choices import Action
from audit.recording import businesses_of, record
from runtime.untrusted_json import as_id, one_line
from tenants.sign_in import SignInForm
from tenants.users import actor_of, user_of

from .devices import device

logger = logging.getLogger(__name__)


class SignIn(LoginView):
    """The admin's login. allauth asks for the second factor, if there is one, before the session is signed in."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    extra_context = {"title": "Log in"}

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """The start page depends on the person: see `operations.first_steps.home`."""
        url = super().get_redirect_url()
        return "" if url == reverse("admin:index") else url

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if admin.site.has_permission(request):
            return redirect(self.get_success_url())
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        login = Login(user=user, redirect_url=self.get_success_url())
        response: HttpResponse = perform_password_login(self.request, {"username": user.get_username()}, login)
        return response

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        provider = reverse("openid_connect_login", args=[settings.OIDC_ID]) if settings.OIDC_ISSUER else ""
        return {
            **admin.site.each_context(self.request),
            **super().get_context_data(**kwargs),
            "app_path": self.request.get_full_path(),
            "provider_url": provider,
            "provider_name": settings.OIDC_NAME,
        }


class NewRecoveryCodes(GenerateRecoveryCodesView):  # type: ignore[misc]  # allauth has no types
    def form_valid(self, form: Form) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            record(Action.CODES_GENERATED, businesses_of(user_of(self.request).pk))
        return response


@require_safe
def sign_in_elsewhere(request: HttpRequest, provider_id: str) -> HttpResponse:
    """To the OpenID Connect provider, unless it can't be reached."""
    try:
        response: HttpResponse = openid_connect.login(request, provider_id)
    except (requests.RequestException, ValueError, KeyError) as error:
        # No connection, or a configuration document that isn't JSON or lacks an endpoint.
        logger.warning(
            "%s can't be reached: %s: %s", settings.OIDC_ISSUER, type(error).__name__, one_line(str(error), 300)
        )
        context = {"reason": f"{settings.OIDC_NAME} can't be reached. Try again later."}
        return render(request, "accounts/refused.html", context, status=503)
    return response


@login_required
@require_safe
def sign_in_again(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/sign_in_again.html")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def sessions(request: HttpRequest) -> HttpResponse:
    """Where you're signed in. A POST ends one session (`end`: its ID) or all others (`end`: "others")."""
    user = user_of(request)
    which = request.POST.get("end", "")
    if which == "others":
        with transaction.atomic():
            end_other_sessions(request, user)
            record(Action.SESSIONS_ENDED, businesses_of(user.pk))
        messages.success(request, "You're signed out everywhere else.")
        return redirect("sessions")
    if request.method == "POST":
        ended = UserSession.objects.filter(user=user, pk=pk) if (pk := as_id(which)) else None
        if not ended:
            raise Http404
        with transaction.atomic():
            end_sessions(request, list(ended))
            record(Action.SESSIONS_ENDED, businesses_of(user.pk), actor=actor_of(request, user))
        messages.success(request, "The session has ended.")
        return redirect("sessions")
    rows = sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.last_seen_at, reverse=True)
    shown = [{"row": row, "device": device(row.user_agent), "is_this": row.is_current()} for row in rows]
    shown.sort(key=lambda each: not each["is_this"])
    return render(request, "accounts/sessions.html", {"sessions": shown})
