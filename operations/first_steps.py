"""Setting up a business: a checklist on the overview that ticks itself off, and where people land when they sign in."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from assistant.models import DEFAULT_INSTRUCTIONS, Assistant, DailyUsage, Turn
from notifications.models import NotificationPreferences, NotificationSettings, PushSubscription
from runtime.row_security.scope import all_businesses
from tenants.access import ANYONE, OWNERS, for_user, has_role, has_role_anywhere, is_installation_admin, tenants_of
from tenants.models import Invitation, Membership, Tenant
from tenants.users import user_of
from whatsapp.models import WhatsAppAccount


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    text: str
    url: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Checklist:
    tenant: Tenant
    steps: list[Step]

    @property
    def done(self) -> int:
        return sum(step.is_done for step in self.steps)


def checklists(user: User) -> list[Checklist]:
    """Of the businesses that the user owns, as far as they aren't set up and no owner has dismissed the checklist."""
    tenants = tenants_of(user, OWNERS)
    if not tenants and is_installation_admin(user) and not settings.MULTITENANT_ENABLED:
        tenants = [Tenant.objects.single().pk]
    if not tenants:
        return []
    found = Tenant.objects.filter(pk__in=tenants, deletion_requested_at=None, checklist_dismissed_at=None)
    lists = [Checklist(tenant, list(_steps(tenant))) for tenant in _with_progress(found, user)]
    return [each for each in lists if each.done < len(each.steps)]


def _with_progress(tenants: "QuerySet[Tenant]", user: User) -> "QuerySet[Tenant]":
    here = OuterRef("pk")
    accounts = WhatsAppAccount.objects.filter(tenant=here).order_by("-is_active", "pk")
    assistants = Assistant.objects.filter(tenant=here)
    return tenants.annotate(
        account_id=Subquery(accounts.values("pk")[:1]),
        is_verified=Exists(accounts.filter(is_active=True)),
        assistant_id=Subquery(assistants.values("pk")),
        is_instructed=Exists(assistants.exclude(instructions=DEFAULT_INSTRUCTIONS)),
        is_tested=Exists(DailyUsage.objects.filter(tenant=here))
        | Exists(Turn.objects.filter(tenant=here, state=Turn.State.REPLIED)),
        has_team=Exists(Membership.objects.filter(tenant=here).exclude(user=user))
        | Exists(Invitation.objects.filter(tenant=here)),
        is_notifying=Exists(NotificationSettings.objects.filter(tenant=here))
        | Exists(NotificationPreferences.objects.filter(user=user))
        | Exists(PushSubscription.objects.filter(user=user)),
    ).order_by("name")


def _steps(tenant: Tenant) -> Iterator[Step]:
    """tenant: with the progress that `_with_progress` adds."""
    progress = vars(tenant)
    account, assistant = progress["account_id"], progress["assistant_id"]
    account_url = _row_or_new("whatsapp_whatsappaccount", account)
    assistant_url = _row_or_new("assistant_assistant", assistant)
    # A single business may have its number's token in the environment.
    in_environment = not settings.MULTITENANT_ENABLED and bool(settings.WHATSAPP_ACCESS_TOKEN) and not settings.SANDBOX
    yield Step(
        "Connect your WhatsApp number",
        "Add it with its IDs and its access token from Meta.",
        account_url,
        account is not None or in_environment,
    )
    yield Step(
        "Verify it",
        "On the number's page, choose Test connection: Meta confirms that the number is yours.",
        account_url,
        progress["is_verified"] or in_environment,
    )
    yield Step(
        "Tell the assistant about your business",
        "Write its instructions: what you sell, what it costs, when you're open.",
        assistant_url,
        progress["is_instructed"],
    )
    yield Step(
        "Ask it something",
        "Test its instructions, or write to your number from a phone.",
        reverse("admin:assistant_test_prompt", args=[assistant]) if assistant else assistant_url,
        progress["is_tested"],
    )
    yield Step(
        "Invite your team",
        "Operators reply to customers, and viewers only read.",
        reverse("admin:tenants_membership_add"),
        progress["has_team"],
    )
    yield Step(
        "Choose how you're notified",
        "When a customer needs a person, in the inbox, by push or by email.",
        reverse("admin:notifications_mine"),
        progress["is_notifying"],
    )


def _row_or_new(name: str, pk: int | None) -> str:
    return reverse(f"admin:{name}_change", args=[pk]) if pk else reverse(f"admin:{name}_add")


@login_required
@require_POST
def dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    user = user_of(request)
    tenant = get_object_or_404(for_user(Tenant.objects.all(), user, "pk"), pk=pk)
    if not has_role(user, OWNERS, tenant.pk):
        raise PermissionDenied
    Tenant.objects.filter(pk=tenant.pk).update(checklist_dismissed_at=timezone.now())
    return redirect("admin:index")


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The inbox. The overview for superusers, for owners who have something left to set up, and for those without a
    business, who may find an invitation there."""
    user = user_of(request)
    works_here = has_role_anywhere(user, ANYONE) and not is_installation_admin(user)
    with all_businesses():  # of businesses that the user isn't a member of
        is_invited = Invitation.objects.addressed_to(user).exists()
    if works_here and not is_invited and not checklists(user):
        return redirect("admin:conversations_conversation_changelist")
    return redirect("admin:index")
