"""Our answers to what allauth asks: addresses, secrets, and whom an OpenID Connect provider may sign in."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse

from tenants.fields import decrypted, encrypted
from tenants.invitations import inviting
from tenants.models import normalized
from tenants.sign_in import client_ip

from . import reauthentication


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_ip(request) or "0.0.0.0"  # noqa: S104  # of a client behind a Unix socket, nothing is known

    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """Signing in a few minutes ago is enough."""
        return not reauthentication.was_recent(context.request)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Someone who has neither a password nor a second factor can only sign in again."""
        again = {"id": "sign_in_again", "description": "Sign in again", "url": reverse("sign_in_again")}
        found: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return found or [again]


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return encrypted(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypted(encrypted_text, "mfa_authenticator.data")

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": self.get_totp_issuer()}


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Nobody gets an account by signing in elsewhere, unless they were invited. See docs/sign-in.md."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Only the provider's word that an address is verified leads to an account."""
        if sociallogin.state.get("process") != AuthProcess.LOGIN:
            raise ImmediateHttpResponse(_refused(request, "Accounts are linked when you sign in."))
        if sociallogin.is_existing:
            return
        email = next((normalized(each.email) for each in sociallogin.email_addresses if each.verified), "")
        if not email:
            reason = f"{settings.OIDC_NAME} didn't confirm your email address."
            raise ImmediateHttpResponse(_refused(request, reason))
        user = inviting.account_of(email)
        if user and not settings.OIDC_LINK_BY_EMAIL:
            reason = f"There's already an account for {email}. Sign in with its password."
            raise ImmediateHttpResponse(_refused(request, reason))
        user = user or inviting.create_invited(email, sociallogin.user.first_name, sociallogin.user.last_name)
        if user is None:
            reason = f"There's no account for {email}. Ask the owner of your business for an invitation."
            raise ImmediateHttpResponse(_refused(request, reason))
        sociallogin.connect(request, user)


def _refused(request: HttpRequest, reason: str) -> Any:
    return render(request, "accounts/refused.html", {"reason": reason}, status=403)
