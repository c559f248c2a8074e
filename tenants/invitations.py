"""Invite a member by email: create the user and the membership, and a link to set a password."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.db.models import Q
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from unfold.widgets import BASE_INPUT_CLASSES, UnfoldAdminEmailInputWidget

from .access import OWNERS, Person, is_installation_admin, tenants_of
from .models import Membership


class MemberForm(forms.ModelForm[Membership]):
    """A membership of an existing user, or of an email address. If it has no user yet, one is created."""

    email = forms.EmailField(
        label="Email address",
        required=False,
        widget=UnfoldAdminEmailInputWidget,
        help_text="For a new colleague. You get a link to send them, so that they can set a password.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].required = False
            self.fields["user"].help_text = "For someone who is already a member of one of your businesses."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        user, email = cleaned.get("user"), cleaned.get("email")
        if bool(user) == bool(email):
            raise forms.ValidationError("Enter an email address or choose a user, but not both.")
        known = user or known_by(str(email))
        if known and Membership.objects.filter(user=known, tenant=cleaned.get("tenant")).exists():
            raise forms.ValidationError(f"{known} is already a member. Change their role in the list of members.")
        return cleaned


def known_by(email: str) -> User | None:
    return User.objects.filter(Q(email__iexact=email) | Q(username__iexact=email)).order_by("pk").first()


def user_for(email: str) -> User:
    """The user with this email address. A new user has no password yet."""
    return known_by(email) or User.objects.create_user(email.lower(), email.lower(), is_staff=True)


def link_for(user: User, inviter: Person) -> str:
    """The URL where `user` sets their first password, or "" if the inviter may not have it.

    Anyone with the link can sign in as that user. So there is no link for a user who has a password, or who belongs to
    a business that the inviter doesn't own.
    """
    if user.has_usable_password() or user.is_superuser:
        return ""
    elsewhere = Membership.objects.filter(user=user).exclude(tenant__in=tenants_of(inviter, OWNERS))
    if elsewhere.exists() and not is_installation_admin(inviter):
        return ""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("set_password", args=[uid, default_token_generator.make_token(user)])
    return f"{settings.PUBLIC_URL}{path}"


class FirstPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = " ".join(BASE_INPUT_CLASSES)
