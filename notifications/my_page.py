"""“My notifications”: how each person wants to be told, their devices, and a test of each channel."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from accounts import devices
from tenants.access import ANYONE, has_role_anywhere, tenants_of
from tenants.models import Tenant
from tenants.scoped_admin import ReadOnlyAdmin
from tenants.users import user_of

from . import audience, delivering, push, shown
from .choices import Channel, Kind
from .models import NotificationPreferences, PushSubscription

MOST_DEVICES = 20
LOGGED = 10  # of the newest notifications, on the page
COLUMNS = {
    "page_kinds": "Inbox and desktop",
    "push_kinds": "Push",
    "email_kinds": "Email at once",
    "digest_kinds": "Daily email",
}


class PreferencesForm(forms.ModelForm[NotificationPreferences]):
    class Meta:
        model = NotificationPreferences
        fields = [*COLUMNS, "sound", "quiet_from", "quiet_until", "digest_at"]
        widgets = {name: forms.TimeInput(attrs={"type": "time"}) for name in ("quiet_from", "quiet_until", "digest_at")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in COLUMNS:
            self.fields[name] = forms.TypedMultipleChoiceField(choices=Kind.choices, required=False, coerce=str)
        for name in ("quiet_from", "quiet_until", "digest_at"):
            self.fields[name].widget.attrs["class"] = "page-input"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if (cleaned.get("quiet_from") is None) != (cleaned.get("quiet_until") is None):
            raise ValidationError("Enter both times of your quiet hours, or neither.")
        return cleaned

    @property
    def rows(self) -> list[tuple[str, list[tuple[str, str, bool]]]]:
        """Of the table: what happens, and for each channel the name of the field, the kind, and whether it's chosen."""
        return [
            (kind.label, [(name, kind.value, kind.value in (self[name].value() or [])) for name in COLUMNS])
            for kind in Kind
        ]


class MyPage(ReadOnlyAdmin):
    """A mixin for the admin of the log. Everyone with a role has these pages, which show only what's theirs."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("mine/", wrap(self.mine_view), name="notifications_mine"),
            path("mine/test/<str:channel>/", wrap(require_POST(self.test_view)), name="notifications_test"),
            path("mine/devices/", wrap(require_POST(self.add_device_view)), name="notifications_add_device"),
            path(
                "mine/devices/<int:device_id>/remove/",
                wrap(require_POST(self.remove_device_view)),
                name="notifications_remove_device",
            ),
            *super().get_urls(),
        ]

    def mine_view(self, request: HttpRequest) -> HttpResponse:
        user = _member(request)
        stored = NotificationPreferences.objects.filter(pk=user.pk).first()
        form = PreferencesForm(request.POST or None, instance=stored or NotificationPreferences(user=user))
        if request.method == "POST" and form.is_valid():
            form.save()
            messages.success(request, "Saved.")
            return redirect("admin:notifications_mine")
        names = dict(Tenant.objects.filter(pk__in=tenants_of(user)).values_list("pk", "name"))
        lines = audience.lines_of(tenants_of(user))
        log = shown.of(user).select_related("incident").order_by("-pk")[:LOGGED]
        context = {
            **self.admin_site.each_context(request),
            "title": "My notifications",
            "form": form,
            "columns": COLUMNS.values(),
            "places": [
                (names[tenant_id], each.position)
                for tenant_id, line in lines.items()
                for each in line
                if each.user == user
            ],
            "no_email": _no_email(user),
            "devices": PushSubscription.objects.filter(user=user).order_by("pk"),
            "server_key": push.application_server_key(),
            "log": log,
        }
        return render(request, "notifications/mine.html", context, status=400 if form.errors else 200)

    def test_view(self, request: HttpRequest, channel: str) -> HttpResponse:
        """Send a test and show the response."""
        user = _member(request)
        if channel not in (Channel.EMAIL, Channel.PUSH):
            raise PermissionDenied
        tenant_id = next(iter(tenants_of(user)), None) or Tenant.objects.single().pk
        targets = [""]
        if channel == Channel.PUSH:
            targets = [str(pk) for pk in PushSubscription.objects.filter(user=user).values_list("pk", flat=True)]
            if not targets:
                messages.error(request, "Push isn't turned on for any of your devices.")
        for target in targets:
            if error := delivering.try_out(user, tenant_id, Channel(channel), target):
                messages.error(request, error)
            else:
                where = f"an email to {user.email}" if channel == Channel.EMAIL else "a push message to your device"
                messages.success(request, f"We've sent {where}. It should arrive within a minute.")
        return redirect("admin:notifications_mine")

    def add_device_view(self, request: HttpRequest) -> HttpResponse:
        """A browser's PushSubscription, as JSON."""
        user = _member(request)
        try:
            _add_device(user, request)
        except ValidationError as error:
            return JsonResponse({"error": error.messages[0]}, status=400)
        messages.success(request, "Push is on for this device.")
        return JsonResponse({})

    def remove_device_view(self, request: HttpRequest, device_id: int) -> HttpResponse:
        device = get_object_or_404(PushSubscription, pk=device_id, user=_member(request))
        device.delete()
        messages.success(request, f"Push is off for {device}.")
        return redirect("admin:notifications_mine")


def _member(request: HttpRequest) -> User:
    if not has_role_anywhere(request.user, ANYONE):
        raise PermissionDenied
    return user_of(request)


def _no_email(user: User) -> str:
    """Why this person gets no emails; "" if they do."""
    problem = delivering.email_problem(user)
    return f"{problem} Until then, you won't get emails." if problem else ""


def _add_device(user: User, request: HttpRequest) -> None:
    endpoint, public_key, auth_secret = (
        request.POST.get(name, "") for name in ("endpoint", "public_key", "auth_secret")
    )
    push.check(endpoint, public_key, auth_secret)
    keys = {"public_key": public_key, "auth_secret": auth_secret}
    others = PushSubscription.objects.filter(endpoint=endpoint).exclude(**keys)
    if others.exists() or PushSubscription.objects.filter(user=user).count() >= MOST_DEVICES:
        raise ValidationError("This device can't be added. Remove one that you no longer use.")
    # Whoever has the keys uses the browser, also if someone else did before.
    device = devices.device(request.headers.get("User-Agent", ""))
    PushSubscription.objects.update_or_create(endpoint=endpoint, defaults={**keys, "user": user, "device": device})
