"""What the apps above show on the desk: they register here, because this app may not import them."""

from collections.abc import Callable, Sequence

from .models import Conversation, ConversationMessage

# Beside the transcript: HTML about a conversation, "" for nothing.
Panel = Callable[[Conversation], str]
# Under a message: a line about each, by message id, for a whole page in one query.
Notes = Callable[[Sequence[ConversationMessage]], dict[int, str]]

panels: list[Panel] = []
notes: list[Notes] = []


def show_panel(panel: Panel) -> Panel:
    panels.append(panel)
    return panel


def show_notes(note: Notes) -> Notes:
    notes.append(note)
    return note


def panels_of(conversation: Conversation) -> list[str]:
    return [html for panel in panels if (html := panel(conversation))]


def notes_of(messages: Sequence[ConversationMessage]) -> dict[int, str]:
    found: dict[int, str] = {}
    for note in notes:
        found.update(note(messages))
    return found
