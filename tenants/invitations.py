"""A new member by e-mail: the user, the membership, and the link with which a password is set."""

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Membership]
    PasswordForm = SetPasswordForm[User]
else:
    ModelForm = forms.ModelForm
    PasswordForm = SetPasswordForm


class MemberForm(ModelForm):
    """A membership of somebody known (`user`) or of an e-mail address, whose user is made if there is none."""

    email = forms.EmailField(
        required=False,
        widget=UnfoldAdminEmailInputWidget,
        help_text="Somebody new: you get a link to send, with which they set their password.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].required = False
            self.fields["user"].help_text = "Somebody you work with already; otherwise leave it empty."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        user, email = cleaned.get("user"), cleaned.get("email")
        if bool(user) == bool(email):
            raise forms.ValidationError("Give an e-mail address, or choose a user: one of the two.")
        known = user or known_by(str(email))
        if known and Membership.objects.filter(user=known, tenant=cleaned.get("tenant")).exists():
            raise forms.ValidationError(f"{known} is a member already. Change the role there.")
        return cleaned


def known_by(email: str) -> User | None:
    return User.objects.filter(Q(email__iexact=email) | Q(username__iexact=email)).order_by("pk").first()


def user_for(email: str) -> User:
    """The user of this address; a new one has no password yet."""
    return known_by(email) or User.objects.create_user(email.lower(), email.lower(), is_staff=True)


def link_for(user: User, inviter: Person) -> str:
    """The address where `user` sets the first password; "" when it is not the inviter's to give.

    Whoever has such a link becomes that user: there is none for somebody who has a password, nor for somebody
    who is invited elsewhere too.
    """
    if user.has_usable_password() or user.is_superuser:
        return ""
    elsewhere = Membership.objects.filter(user=user).exclude(tenant__in=tenants_of(inviter, OWNERS))
    if elsewhere.exists() and not is_installation_admin(inviter):
        return ""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("set_password", args=[uid, default_token_generator.make_token(user)])
    return f"{settings.PUBLIC_URL}{path}"


class FirstPasswordForm(PasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = " ".join(BASE_INPUT_CLASSES)
