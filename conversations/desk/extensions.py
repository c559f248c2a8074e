"""What other apps add to the desk. They register it here because this app can't import them.

Everything for a list or a transcript gets a whole page of rows, so that it needs one query.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from conversations.models import Conversation, ConversationMessage
from tenants.empty_states import EmptyState

# While there are no conversations: what to do first, if anything.
FirstStep = Callable[[HttpRequest], EmptyState | None]
# Beside the transcript: HTML about the conversation, or "".
Panel = Callable[[Conversation], str]
# In a message's details: one line each, by message ID.
MessageInfo = Callable[[Sequence[ConversationMessage]], dict[int, str]]
# In the list: one label each, by conversation ID.
Badges = Callable[[Sequence[Conversation]], dict[int, str]]
# Beside the name of the handler: what happens next, or "".
StatusLine = Callable[[Conversation], str]
# A page of its own at <conversation>/<path>/, for those who may reply. Gets the context that every admin page needs.
PageView = Callable[[HttpRequest, Conversation, dict[str, Any]], HttpResponse]

_first_steps: list[FirstStep] = []
_panels: list[Panel] = []
_message_info: list[MessageInfo] = []
_badges: list[Badges] = []
_status_lines: list[StatusLine] = []
pages: dict[str, PageView] = {}


def register_first_step(first_step: FirstStep) -> FirstStep:
    _first_steps.append(first_step)
    return first_step


def register_panel(panel: Panel) -> Panel:
    _panels.append(panel)
    return panel


def register_message_info(info: MessageInfo) -> MessageInfo:
    _message_info.append(info)
    return info


def register_badges(badges: Badges) -> Badges:
    _badges.append(badges)
    return badges


def register_status_line(status_line: StatusLine) -> StatusLine:
    _status_lines.append(status_line)
    return status_line


def register_page(path: str) -> Callable[[PageView], PageView]:
    """The URL's name is `admin:conversations_<path>`."""

    def register(view: PageView) -> PageView:
        pages[path] = view
        return view

    return register


def first_step_for(request: HttpRequest) -> EmptyState | None:
    return next((found for first_step in _first_steps if (found := first_step(request))), None)


def panels_for(conversation: Conversation) -> list[str]:
    return [html for panel in _panels if (html := panel(conversation))]


def status_line_for(conversation: Conversation) -> str:
    return " · ".join(text for status_line in _status_lines if (text := status_line(conversation)))


def message_info_for(messages: Sequence[ConversationMessage]) -> dict[int, str]:
    found: dict[int, str] = {}
    for info in _message_info:
        found.update(info(messages))
    return found


def badges_for(conversations: Sequence[Conversation]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for badges in _badges:
        for pk, label in badges(conversations).items():
            found[pk].append(label)
    return found
