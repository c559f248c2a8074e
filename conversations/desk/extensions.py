"""What the apps above show on the desk: they register here, because this app may not import them."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from django.http import HttpRequest

from conversations.models import Conversation, ConversationMessage
from tenants.empty_states import EmptyState

# Where there is no conversation yet: what is to be done first, if anything.
FirstStep = Callable[[HttpRequest], EmptyState | None]

first_steps: list[FirstStep] = []

# Beside the transcript: HTML about a conversation, "" for nothing.
Panel = Callable[[Conversation], str]
# Under a message: a line about each, by message id, for a whole page in one query.
Notes = Callable[[Sequence[ConversationMessage]], dict[int, str]]

# In the list: a word about each conversation, by its id, for a whole page in one query.
Badges = Callable[[Sequence[Conversation]], dict[int, str]]

# Beside the name of who has the conversation: a few words about what comes next, "" for none.
Outlook = Callable[[Conversation], str]

outlooks: list[Outlook] = []
panels: list[Panel] = []
notes: list[Notes] = []
badges: list[Badges] = []


def register_panel(panel: Panel) -> Panel:
    panels.append(panel)
    return panel


def register_first_step(step: FirstStep) -> FirstStep:
    first_steps.append(step)
    return step


def register_status_line(outlook: Outlook) -> Outlook:
    outlooks.append(outlook)
    return outlook


def register_message_info(note: Notes) -> Notes:
    notes.append(note)
    return note


def register_badges(badge: Badges) -> Badges:
    badges.append(badge)
    return badge


def panels_of(conversation: Conversation) -> list[str]:
    return [html for panel in panels if (html := panel(conversation))]


def first_step_of(request: HttpRequest) -> EmptyState | None:
    return next((found for step in first_steps if (found := step(request))), None)


def status_line_of(conversation: Conversation) -> str:
    return " · ".join(words for outlook in outlooks if (words := outlook(conversation)))


def message_info_of(messages: Sequence[ConversationMessage]) -> dict[int, str]:
    found: dict[int, str] = {}
    for note in notes:
        found.update(note(messages))
    return found


def badges_of(conversations: Sequence[Conversation]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for badge in badges:
        for pk, word in badge(conversations).items():
            found[pk].append(word)
    return found
