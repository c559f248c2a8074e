"""The quarantine in the admin: events that couldn't be stored, with the reason and the raw body, and replaying them."""

import json

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from tenants.access import ANYONE, OPERATORS
from tenants.empty_states import EmptyState
from tenants.scoped_admin import ReadOnlyAdmin
from whatsapp.models import QuarantinedEvent, ReplayedEvent

from . import replays


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(ReadOnlyAdmin):
    may_view = ANYONE
    may_change = OPERATORS  # to replay; the rows are read-only
    nothing_yet = "Events from Meta that can't be stored are kept here with the reason. There is nothing to do."
    list_display = ["id", "reason", "field", "phone_number_id", "tenant", "created_at", "resolved_at"]
    list_filter = ["tenant", "reason", "field", ("resolved_at", admin.EmptyFieldListFilter)]
    list_select_related = ["tenant"]
    search_fields = ["reason", "error", "phone_number_id"]
    search_help_text = "Search by reason, error or phone number ID"
    ordering = ["-created_at", "-pk"]
    actions = ["replay"]
    fields = [
        "reason",
        "error",
        "field",
        "phone_number_id",
        "tenant",
        "body",
        "created_at",
        "resolved_at",
    ]
    readonly_fields = ["body"]

    @admin.display(description="raw body")
    def body(self, event: QuarantinedEvent) -> str:
        pretty = json.dumps(event.raw, indent=2, ensure_ascii=False)
        return format_html('<pre class="overflow-x-auto text-xs whitespace-pre-wrap">{}</pre>', pretty)

    def empty_state(self, request: HttpRequest) -> EmptyState:
        return EmptyState("Nothing in quarantine", self.nothing_yet)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.replay_view)
        return [path("replays/<int:replay_id>/", page, name="whatsapp_replay"), *super().get_urls()]

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return self._allows(self.may_change, request, None)

    @admin.action(description="Retry selected events", permissions=["replay"])
    def replay(self, request: HttpRequest, events: "QuerySet[QuarantinedEvent]") -> HttpResponse | None:
        """Asks first; then a job does it, and a page shows how far it is."""
        open_ones = events.filter(resolved_at__isnull=True)
        reasons = list(open_ones.order_by().values_list("reason").annotate(number=Count("pk")).order_by("-number"))
        if not reasons:
            messages.info(request, "Nothing to retry: these events are already resolved.")
            return None
        if "confirmed" in request.POST:
            return redirect("admin:whatsapp_replay", replays.start(open_ones, request.user.pk).pk)
        context = {
            **self.admin_site.each_context(request),
            "title": "Replay",
            "opts": self.opts,
            "reasons": reasons,
            "number": sum(number for _, number in reasons),
            "selected": request.POST.getlist("_selected_action"),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "whatsapp/confirm_replay.html", context)

    def replay_view(self, request: HttpRequest, replay_id: int) -> HttpResponse:
        """How far it is, of the pieces that the person may see."""
        mine = self.get_queryset(request).values("pk")
        progress = replays.progress(ReplayedEvent.objects.filter(replay=replay_id, event__in=mine))
        if not progress.total:
            raise Http404
        title = "Replayed" if progress.is_over else "Replaying"
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "progress": progress}
        return TemplateResponse(request, "whatsapp/replay.html", context)
