"""Signing in, and people's own accounts. Includes only the pages of allauth that we need."""

from allauth.account import views as account
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as socialaccount
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.urls import include, path

from . import views
from .reauthentication import recently_required

FACTORS = "account/two-factor/"

urlpatterns = [
    # In place of the admin's own pages, at the same URLs.
    path("admin/login/", views.SignIn.as_view(), name="account_login"),
    path("admin/password_change/", recently_required(transaction.atomic(admin.site.password_change))),
    # Each in one transaction with its entry in the audit log. The names are allauth's.
    path(f"{FACTORS}totp/activate/", transaction.atomic(totp.activate_totp), name="mfa_activate_totp"),
    path(f"{FACTORS}totp/deactivate/", transaction.atomic(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path(f"{FACTORS}webauthn/add/", transaction.atomic(webauthn.add_webauthn), name="mfa_add_webauthn"),
    path(
        f"{FACTORS}webauthn/keys/<int:pk>/remove/",
        transaction.atomic(webauthn.remove_webauthn),
        name="mfa_remove_webauthn",
    ),
    path(
        f"{FACTORS}recovery-codes/generate/",
        login_required(views.NewRecoveryCodes.as_view()),
        name="mfa_generate_recovery_codes",
    ),
    path(FACTORS, include("allauth.mfa.urls")),
    path("account/sessions/", views.sessions, name="sessions"),
    path("account/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("account/sign-in-again/", views.sign_in_again, name="sign_in_again"),
    path("account/sign-out/", account.logout, name="account_logout"),
    path("account/inactive/", account.account_inactive, name="account_inactive"),
    path("account/oidc/<str:provider_id>/login/", views.sign_in_elsewhere, name="openid_connect_login"),
    path("account/oidc/<str:provider_id>/login/callback/", openid_connect.callback, name="openid_connect_callback"),
    path("account/oidc/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"),
    path("account/oidc/error/", socialaccount.login_error, name="socialaccount_login_error"),
]
