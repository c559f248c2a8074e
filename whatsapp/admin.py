"""The WhatsApp accounts, one per business number."""

import datetime as dt
import re
from collections.abc import Collection, Iterable
from typing import Any, Protocol

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from conversations import search
from conversations.desk import extensions
from conversations.models import Pause
from conversations.outbox import queue as outbox
from runtime import clock
from tenants.access import Person
from tenants.empty_states import EmptyState
from tenants.scoped_admin import TenantScopedAdmin
from tenants.secret_fields import SecretsForm
from whatsapp.desk import compose_page, template_page
from whatsapp.quarantine.admin import QuarantinedEventAdmin

from . import activation
from .graph.standing import callback_url
from .models import WhatsAppAccount

MAX_OWN_NUMBERS = 100  # whose countries a search considers
# Imported to register them.
__all__ = ["QuarantinedEventAdmin", "WhatsAppAccountAdmin", "compose_page", "template_page"]


@extensions.register(search.own_numbers)
def own_numbers(tenants: Collection[int] | None) -> Iterable[str]:
    accounts = WhatsAppAccount.objects.filter(is_active=True).exclude(display_phone_number="")
    if tenants is not None:
        accounts = accounts.filter(tenant__in=tenants)
    return accounts.values_list("display_phone_number", flat=True).distinct()[:MAX_OWN_NUMBERS]


@extensions.register(extensions.first_steps)
def connect_a_number(request: HttpRequest) -> EmptyState | None:
    """Without a number there are no conversations. A single business may have its token in the environment."""
    accounts = admin.site.get_model_admin(WhatsAppAccount)
    in_environment = not settings.MULTITENANT_ENABLED and settings.WHATSAPP_ACCESS_TOKEN
    if in_environment or accounts.get_queryset(request).exists():
        return None
    title = "No WhatsApp number is connected"
    if not accounts.has_add_permission(request):
        return EmptyState(title, "Ask an owner of the business to connect one.")
    text = "Connect your WhatsApp Business number to see your customers' conversations here."
    return EmptyState(title, text, reverse("admin:whatsapp_whatsappaccount_add"), "Connect a number")


# Meta's IDs had 15 or 16 digits so far.
ID_DIGITS = range(14, 21)
LIKE_A_PHONE_NUMBER = re.compile(r"\+?[\d\s()./-]{5,20}")


class PausableAccount(Protocol):
    """An account as the list reads it."""

    pk: int | None
    is_active: bool
    token: str
    pause_reason: str | None
    pause_until: dt.datetime | None


class AccountForm(SecretsForm):
    """Saves an account inactive while it has no token, or Meta hasn't confirmed whose number it is."""

    instance: WhatsAppAccount
    person: Person
    must_be_confirmed = False
    has_no_token = False

    def clean_phone_number_id(self) -> str:
        """Catches the most common mistake, entering the phone number itself. What is stored already may stay."""
        value: str = self.cleaned_data["phone_number_id"]
        is_an_id = value.isascii() and value.isdecimal() and len(value) in ID_DIGITS
        if is_an_id or value == self.instance.phone_number_id:
            return value
        if LIKE_A_PHONE_NUMBER.fullmatch(value):
            problem = "This looks like a phone number. Meta gives each number an ID, which is a different number."
        else:
            problem = "A phone number ID has only digits, usually 15 or 16."
        raise ValidationError(f"{problem} Copy the ID from your Meta app, under WhatsApp > API Setup.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        names = ("phone_number_id", "waba_id", "is_active")
        entered = WhatsAppAccount(pk=self.instance.pk, **{name: cleaned.get(name) or "" for name in names})
        if activation.needs_confirmation(entered, self.person):
            cleaned["is_active"], self.must_be_confirmed = False, True
        stored = "" if "access_token-remove" in self.data else self.instance.access_token
        if cleaned.get("is_active") and not WhatsAppAccount(access_token=cleaned.get("access_token") or stored).token:
            cleaned["is_active"], self.has_no_token = False, True
        return cleaned


@admin.register(WhatsAppAccount)
class WhatsAppAccountAdmin(TenantScopedAdmin):
    nothing_yet = (
        "Add your number with its phone number ID, its WABA ID and a permanent access token from Meta. You can then "
        "copy the callback URL into your Meta app and test the connection, which activates the number."
    )
    list_display = ["__str__", "tenant", "phone_number_id", "state", "has_token", "last_delivery_at"]
    list_filter = ["tenant", "is_active"]
    list_select_related = ["tenant"]
    search_fields = ["display_phone_number", "phone_number_id", "waba_id", "tenant__name"]
    actions = ["resume"]
    form = AccountForm
    change_form_template = "whatsapp/account_change_form.html"
    readonly_fields = [
        "state",
        "access_token_state",
        "app_secret_state",
        "callback_url",
        "verify_token",
        "last_delivery_at",
        "created_at",
    ]
    fieldsets = [
        (None, {"fields": ["tenant", "display_phone_number", "phone_number_id", "waba_id", "is_active"]}),
        ("State", {"fields": ["state", "last_delivery_at", "created_at"]}),
        ("Credentials", {"fields": ["access_token", "access_token_state", "app_secret", "app_secret_state"]}),
        (
            "For your Meta app: enter these under WhatsApp > Configuration > Webhook",
            {"fields": ["callback_url", "verify_token"]},
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[WhatsAppAccount]":
        pause = Pause.objects.active().filter(scope=Concat(Value("number:"), OuterRef("phone_number_id")))
        accounts: QuerySet[WhatsAppAccount] = super().get_queryset(request)
        return accounts.annotate(
            pause_reason=Subquery(pause.values("reason")[:1]), pause_until=Subquery(pause.values("until")[:1])
        )

    @admin.display(description="state")
    def state(self, account: PausableAccount) -> str:
        if account.pk is None or not account.is_active:
            return "Not active"
        if not account.token:
            return "No access token"
        if account.pause_reason is None:
            return "Active"
        until = account.pause_until
        how_long = f"until {clock.shown(until)}" if until else "until you save a new token or resume sending"
        return f"Paused {how_long}: {account.pause_reason}"

    @admin.display(description="token set", boolean=True)
    def has_token(self, account: WhatsAppAccount) -> bool:
        return bool(account.token)

    @admin.display(description="access token")
    def access_token_state(self, account: WhatsAppAccount) -> str:
        return "set" if account.access_token else "not set"

    @admin.display(description="app secret")
    def app_secret_state(self, account: WhatsAppAccount) -> str:
        return "set" if account.app_secret else "not set"

    @admin.display(description="callback URL")
    def callback_url(self, account: WhatsAppAccount) -> str:
        return format_html("<code>{}</code>", callback_url())

    @admin.display(description="verify token")
    def verify_token(self, account: WhatsAppAccount) -> str:
        return format_html("<code>{}</code>", settings.WHATSAPP_VERIFY_TOKEN)

    def save_model(
        self, request: HttpRequest, obj: WhatsAppAccount, form: "ModelForm[WhatsAppAccount]", change: bool
    ) -> None:
        if activation.needs_confirmation(obj, request.user):
            raise PermissionDenied
        super().save_model(request, obj, form, change)
        if isinstance(form, AccountForm) and form.must_be_confirmed:
            text = "This number isn't active yet. Meta has to confirm that it's yours: choose Test connection."
            messages.warning(request, text)
        elif isinstance(form, AccountForm) and form.has_no_token:
            messages.warning(
                request, "This number isn't active: it has no access token. Add one, and choose Test connection."
            )
        if change and obj.access_token and "access_token" in form.changed_data:
            self._resume(request, [obj])

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        form.person = request.user
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The verify token is the installation's: only for those who need it."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:  # it has no state yet
            fieldsets = [each for each in fieldsets if each[0] != "State"]
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return fieldsets if may_write else fieldsets[:-1]

    # --- buttons ---

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            ("test-connection", self.test_connection_view, "test_connection"),
            ("resume", self.resume_view, "resume"),
        ]
        return [
            *(
                path(f"<int:pk>/{url}/", self.admin_site.admin_view(require_POST(view)), name=f"whatsapp_{name}")
                for url, view, name in buttons
            ),
            *super().get_urls(),
        ]

    def test_connection_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        account = self._own(request, pk)
        for finding in activation.confirm(account):
            level = messages.SUCCESS if finding.is_good else messages.ERROR
            messages.add_message(request, level, f"{finding.text} {finding.remedy}".strip())
        if reason := vars(account)["pause_reason"]:
            messages.warning(request, f"Sending is paused: {reason} Choose Resume sending when the cause is gone.")
        return redirect("admin:whatsapp_whatsappaccount_change", pk)

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self._resume(request, [self._own(request, pk)])
        return redirect("admin:whatsapp_whatsappaccount_change", pk)

    def _own(self, request: HttpRequest, pk: int) -> WhatsAppAccount:
        account: WhatsAppAccount = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        return account

    @admin.action(description="Resume sending", permissions=["change"])
    def resume(self, request: HttpRequest, accounts: "QuerySet[WhatsAppAccount]") -> None:
        self._resume(request, list(accounts))

    def _resume(self, request: HttpRequest, accounts: list[WhatsAppAccount]) -> None:
        for account in accounts:
            if not account.is_active:  # the number may be someone else's
                continue
            waiting = outbox.resume(account.phone_number_id)
            messages.success(request, f"Resumed sending from {account}. Queued messages: {waiting}.")
