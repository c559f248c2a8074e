"""The forms of invitations: the owner's and the invitee's."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.utils import timezone
from unfold.widgets import BASE_INPUT_CLASSES, UnfoldAdminEmailInputWidget

from tenants.access import is_installation_admin
from tenants.models import Invitation, Membership, normalized

A_DAY = 50  # invitations per person: each tells whether an address has an account


class MemberForm(forms.ModelForm[Membership]):
    """A membership of an existing user, or an invitation to an email address."""

    invited_by: User
    email = forms.EmailField(
        label="Email address",
        max_length=254,
        required=False,
        widget=UnfoldAdminEmailInputWidget,
        help_text="Of your colleague. They become a member when they accept your invitation.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].required = False
            self.fields["user"].help_text = "For someone who is already a member of one of your businesses."
            self.fields["user"].label_from_instance = _name_of  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        return normalized(self.cleaned_data["email"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        user, email, tenant = cleaned.get("user"), cleaned.get("email"), cleaned.get("tenant")
        if bool(user) == bool(email):
            either = "Enter an email address or choose a user, but not both."
            raise forms.ValidationError(either if "user" in self.fields else "Enter an email address.")
        same = Q(user=user) if user else Q(user__email__iexact=email) | Q(user__username__iexact=email)
        if member := Membership.objects.filter(same, tenant=tenant).select_related("user").first():
            raise forms.ValidationError(f"{member.user} is already a member. Change their role in the list of members.")
        if email and not is_installation_admin(self.invited_by) and self._invited_today() >= A_DAY:
            raise forms.ValidationError(f"You can invite {A_DAY} people a day. Try again tomorrow.")
        return cleaned

    def _invited_today(self) -> int:
        """From the admin's history, which withdrawing an invitation doesn't shorten."""
        since = timezone.now() - dt.timedelta(days=1)
        kind = ContentType.objects.get_for_model(Invitation)
        return LogEntry.objects.filter(
            user=self.invited_by, content_type=kind, action_flag=ADDITION, action_time__gte=since
        ).count()


def _name_of(user: User) -> str:
    """Someone who created an account with a link that was passed on needn't own the address it's named after."""
    name = user.get_username()
    return f"{name} (address not confirmed)" if "@" in name and not user.email else name


class FirstPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """The password of an account that doesn't exist yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = " ".join(BASE_INPUT_CLASSES)
