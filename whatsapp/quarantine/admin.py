"""The quarantine in the admin: events that couldn't be stored, the reason, and a retry."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from runtime import clock
from tenants.access import OPERATORS
from tenants.empty_states import EmptyState
from tenants.scoped_admin import ReadOnlyAdmin, as_html
from whatsapp.models import QuarantinedEvent

from . import replays


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(ReadOnlyAdmin):
    may_change = OPERATORS  # to retry: the rows themselves are read-only
    nothing_yet = "Webhook events from Meta that can't be stored are kept here, with the reason."
    list_display = ["id", "reason", "field", "phone_number_id", "tenant", "created_at", "result"]
    list_filter = ["tenant", "reason", "field", ("resolved_at", admin.EmptyFieldListFilter)]
    list_select_related = ["tenant"]
    search_fields = ["reason", "error", "phone_number_id"]
    search_help_text = "Search by reason, error or phone number ID"
    ordering = ["-created_at", "-pk"]
    actions = ["replay"]
    fields = ["reason", "result", "field", "phone_number_id", "tenant", "signer", "body", "created_at"]
    readonly_fields = ["body", "result", "signer"]

    @admin.display(description="signed by")
    def signer(self, event: QuarantinedEvent) -> str:
        if event.signed_by is None:
            return "Nobody: WHATSAPP_APP_SECRET wasn't set"
        accounts = ", ".join(map(str, event.signed_by))
        return f"The own app of account {accounts}" if accounts else "The app of this installation"

    @admin.display(description="raw body")
    def body(self, event: QuarantinedEvent) -> str:
        return as_html(event.raw)

    @admin.display(description="retry", ordering="retried_at", empty_value="Not retried")
    def result(self, event: QuarantinedEvent) -> str | None:
        if event.resolved_at:
            return f"Stored {clock.shown(event.resolved_at)}"
        return f"Failed {clock.shown(event.retried_at)}: {event.error}" if event.retried_at else None

    def empty_state(self, request: HttpRequest) -> EmptyState:
        return EmptyState("Nothing in quarantine", self.nothing_yet)

    @admin.action(description="Retry selected events", permissions=["repeat"])
    def replay(self, request: HttpRequest, events: QuerySet[QuarantinedEvent]) -> None:
        if number := replays.start(events):
            plural = "event is" if number == 1 else "events are"
            messages.success(request, f"{number} {plural} being retried. Reload this page to see the results.")
        else:
            messages.info(request, "The selected events have already been stored.")
