"""Signing in, and people's own accounts. Includes only the pages of allauth that we need."""

from allauth.account import views as account
from allauth.socialaccount import views as socialaccount
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.contrib import admin
from django.urls import include, path

from . import views
from .reauthentication import recently_required

urlpatterns = [
    # In place of the admin's own pages, at the same URLs.
    path("admin/login/", views.SignIn.as_view(), name="account_login"),
    path("admin/password_change/", recently_required(admin.site.password_change)),
    path("account/two-factor/", include("allauth.mfa.urls")),
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
