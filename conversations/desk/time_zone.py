"""The time zone in which each person sees every time: their own, or else that of their business."""

import zoneinfo
from collections.abc import Callable

from django import forms
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from notifications.models import NotificationPreferences

from .polling import LIVE
from .preferences import DeskPreferences

# Of a member's first business; an installation's administrators see many, which must agree.
_BUSINESS_ZONE = """
COALESCE((
    SELECT h.time_zone FROM opening_hours h JOIN memberships m ON m.tenant_id = h.tenant_id
    WHERE m.user_id = %(user)s ORDER BY m.id LIMIT 1
), (
    SELECT min(time_zone) FROM opening_hours WHERE %(is_superuser)s HAVING count(DISTINCT time_zone) = 1
), 'UTC')
"""
_ZONE = f"""
SELECT COALESCE(
    (SELECT NULLIF(time_zone, '') FROM notification_preferences WHERE user_id = %(user)s), {_BUSINESS_ZONE})
"""  # noqa: S608


def zone_of(user: User) -> zoneinfo.ZoneInfo:
    """The user's own time zone, or else that of their business."""
    return zoneinfo.ZoneInfo(_read(_ZONE, user))


def business_zone_of(user: User) -> str:
    return _read(f"SELECT {_BUSINESS_ZONE}", user)


def _read(statement: str, user: User) -> str:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"user": user.pk, "is_superuser": user.is_superuser})
        (name,) = cursor.fetchone()
    return str(name)


class TimeZoneMiddleware:
    """Shows the admin's times in the zone of whoever is signed in. A poll reads it only when something has changed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith("/admin/") or LIVE.search(path) or not isinstance(request.user, User):
            return self.get_response(request)
        with timezone.override(zone_of(request.user)):
            return self.get_response(request)


class PreferencesForm(forms.ModelForm[DeskPreferences]):
    """The time zone also counts for quiet hours and daily emails, so it's stored with those."""

    time_zone = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget, help_text="You see every time in this zone."
    )
    field_order = ("time_zone", "enter_sends")

    class Meta:
        model = DeskPreferences
        fields = ("enter_sends",)
        widgets = {"enter_sends": UnfoldBooleanSwitchWidget}

    def __init__(self, user: User, data: QueryDict | None = None) -> None:
        super().__init__(
            data, instance=DeskPreferences.objects.filter(pk=user.pk).first() or DeskPreferences(user=user)
        )
        names = sorted(zoneinfo.available_timezones())
        own = ("", f"That of the business ({business_zone_of(user)})")
        self.fields["time_zone"].choices = [own, *zip(names, names, strict=True)]  # type: ignore[attr-defined]
        stored = NotificationPreferences.objects.filter(pk=user.pk).values_list("time_zone", flat=True).first()
        self.initial["time_zone"] = stored or ""

    def save(self, commit: bool = True) -> DeskPreferences:
        found = super().save(commit)
        zone = {"time_zone": self.cleaned_data["time_zone"]}
        NotificationPreferences.objects.update_or_create(pk=found.pk, defaults=zone)
        return found
