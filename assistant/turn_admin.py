"""The record of the assistant's turns."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from audit.recording import record_reading
from tenants.scoped_admin import ReadOnlyAdmin

from .models import Turn
from .prompt.parts import parts_of
from .turns.closing import Ending
from .turns.policy import Silence

OUTCOMES: dict[str, str] = {
    Ending.REPLIED: "Replied",
    Ending.FALLBACK: "Failed; the customer got the fallback text",
    Ending.SILENT: "Failed; the customer got no answer",
    **dict(Silence.choices),
}


@admin.register(Turn)
class TurnAdmin(ReadOnlyAdmin):
    tenant_path = "conversation__tenant"
    nothing_yet = (
        "Each reply of the assistant is recorded here: what it answers, the model, the tokens and the outcome."
    )
    list_display = ["opened_at", "conversation", "result", "model", "tokens", "price", "duration"]
    list_display_links = ["opened_at"]
    list_filter = ["conversation__tenant", "state", "model", ("opened_at", admin.DateFieldListFilter)]
    list_select_related = ["conversation", "conversation__tenant"]
    search_fields = ["conversation__external_id", "conversation__contact_name", "outcome", "error"]
    search_help_text = "Search by contact, outcome or error"
    ordering = ["-pk"]
    fieldsets = [
        (
            None,
            {"fields": ["conversation", "result", "error", "warning", "messages_of_turn", "opened_at", "finished_at"]},
        ),
        ("Model", {"fields": ["model", "tokens", "price", "duration", "whole_prompt"]}),
        (
            "Technical details",
            {
                "classes": ["collapse"],
                "fields": [
                    *("state", "outcome", "due_at", "latest_due_at", "lease_until", "generation", "lost_leases"),
                    *("superseded", "waits_for", "seen_messages", "sources", "instructions_hash", "cached_tokens"),
                    "usage_estimated",
                ],
            },
        ),
    ]
    readonly_fields = ["result", "tokens", "price", "duration", "messages_of_turn", "whole_prompt"]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if turn := self.get_object(request, unquote(object_id)):
            record_reading(turn.conversation.tenant_id, turn.conversation)
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description="outcome", ordering="state")
    def result(self, turn: Turn) -> str:
        return outcome_of(turn)

    @admin.display(description="tokens", ordering="prompt_tokens")
    def tokens(self, turn: Turn) -> str:
        return f"{turn.prompt_tokens:,} in, {turn.completion_tokens:,} out"

    @admin.display(description="cost", ordering="cost")
    def price(self, turn: Turn) -> str:
        return "unknown" if turn.cost is None else f"${turn.cost:.4f}" if turn.cost else "$0"

    @admin.display(description="model time", ordering="seconds")
    def duration(self, turn: Turn) -> str:
        return "" if turn.seconds is None else f"{turn.seconds:.1f} s"

    @admin.display(description="messages")
    def messages_of_turn(self, turn: Turn) -> str:
        received = f"received {turn.first_message_id} to {turn.last_message_id}"
        replies = f"replies {turn.first_reply_id} to {turn.last_reply_id}"
        return f"{received}, {replies}" if turn.first_reply_id else f"{received}, no reply"

    @admin.display(description="prompt")
    def whole_prompt(self, turn: Turn) -> str:
        found = parts_of(turn)
        shown = {"parts": found, "tokens": sum(part.tokens for part in found)}
        return render_to_string("assistant/prompt.html", shown)


def outcome_of(turn: Turn) -> str:
    """How it ended, or what it's doing, in words."""
    if turn.state == Turn.State.COLLECTING:
        return "Waiting for the customer to finish"
    if turn.state == Turn.State.GENERATING:
        return "Writing a reply"
    return OUTCOMES.get(turn.outcome, turn.get_state_display())
