"""The assistant's settings, and the record of its turns."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from conversations.desk import extensions
from conversations.models import Conversation, ConversationMessage
from tenants.access import is_installation_admin
from tenants.scoped_admin import TenantScopedAdmin

from . import limits
from .endpoint_fields import EndpointFields
from .knowing.find_page import FindViews
from .models import Assistant, Turn
from .playground import PromptTestViews
from .resume_page import ResumeViews
from .turn_admin import TurnAdmin, outcome_of
from .turns import handback

__all__ = ["AssistantAdmin", "TurnAdmin"]  # the latter is imported to register it

ONE_DAY = dt.timedelta(days=1)


@admin.register(Assistant)
class AssistantAdmin(FindViews, ResumeViews, PromptTestViews, EndpointFields, TenantScopedAdmin):
    change_form_template = "assistant/change_form.html"
    list_display = ["__str__", "model_in_use", "history_limit", "daily_token_limit"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]
    search_fields = ["tenant__name", "instructions", "model"]
    fieldsets = [
        (None, {"fields": ["tenant", "instructions", "fallback_text"]}),
        ("Replies", {"fields": ["fact_check", "previews_links", "sees_images"]}),
        ("Reaching a person", {"fields": ["person_hint", "after_handover", "returns_after_minutes"]}),
        ("Opening hours", {"fields": ["out_of_hours", "away_text"]}),
        (
            "Advanced",
            {
                "classes": ["collapse"],
                "fields": [
                    "model",
                    "temperature",
                    "max_output_tokens",
                    "history_limit",
                    "history_growth",
                    "daily_token_limit",
                    "base_url",
                    "api_key",
                    "api_key_state",
                    "allowed_hosts",
                    "transcription_language",
                    "quiet_seconds",
                    "max_wait_seconds",
                ],
            },
        ),
    ]
    readonly_fields = ["api_key_state", "last_refusal"]

    def get_readonly_fields(self, request: HttpRequest, obj: Assistant | None = None) -> list[str]:
        """Only superusers may choose the base URL: the server could reach internal hosts with it."""
        base_url: list[str] = [] if is_installation_admin(request.user) else ["base_url"]
        return [*self.readonly_fields, *base_url]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "instructions" and field:
            # The browser counts a line break as one character, and sends it as two.
            field.widget.attrs |= {"rows": 14, "dir": "auto", "data-limit": limits.LONGEST_INSTRUCTIONS}
            field.help_text = render_to_string("assistant/instructions_help.html")
        return field

    @admin.display(description="model")
    def model_in_use(self, assistant: Assistant) -> str:
        return assistant.model_name

    @admin.display(description="API key")
    def api_key_state(self, assistant: Assistant) -> str:
        return "set" if assistant.api_key else "not set"


@extensions.register(extensions.panels)
def last_turn(conversation: Conversation) -> str:
    turn = Turn.objects.filter(conversation=conversation).order_by("-opened_at").first()
    return render_to_string("assistant/panel.html", {"turn": turn, "outcome": outcome_of(turn)}) if turn else ""


@extensions.register(extensions.status_lines)
def automatic_hand_back(conversation: Conversation) -> str:
    at = handback.returns_at(conversation)
    if at is None:
        return ""
    local = timezone.localtime(at)
    return f"automatic hand-back on {date_format(local, 'j F')} at {date_format(local, 'H:i T')}"


@extensions.register(extensions.message_info)
def turn_info(messages: Sequence[ConversationMessage]) -> dict[int, extensions.Info]:
    """How the assistant made each of its replies on this page, and which messages are too long for it."""
    cut = f"The assistant reads only the first {limits.LONGEST_TEXT:,} characters of this message."
    info = {message.pk: extensions.Info(cut) for message in messages if len(message.text) > limits.LONGEST_TEXT}
    replies = [message for message in messages if message.origin == "assistant"]
    if not replies:
        return info
    turns = Turn.objects.filter(
        conversation=replies[0].conversation_id,
        # A reply is written within a day of its turn being opened, so the index turn_history finds the turns.
        opened_at__range=(replies[0].created_at - ONE_DAY, replies[-1].created_at),
        first_reply__isnull=False,
    )
    for turn in turns:
        first, last = turn.first_reply_id or 0, turn.last_reply_id or turn.first_reply_id or 0
        about = extensions.Info(_describe(turn), turn.warning, _origins(turn))
        info.update({reply.pk: about for reply in replies if first <= reply.pk <= last})
    return info


def _origins(turn: Turn) -> list[extensions.Origin]:
    """The passages that the reply cites, as they were at the time."""
    return [
        extensions.Origin(
            each["name"], each["text"], reverse("admin:knowledge_source_change", args=[each["source_id"]])
        )
        for each in turn.sources
    ]


def _describe(turn: Turn) -> str:
    parts = [
        turn.model,
        f"{turn.prompt_tokens:,} + {turn.completion_tokens:,} tokens",
        f"{turn.seconds:.1f} s" if turn.seconds is not None else "",
        f"${turn.cost:.5f}" if turn.cost is not None else "",
        f"instructions {turn.instructions_hash}" if turn.instructions_hash else "",
    ]
    return ", ".join(part for part in parts if part)
