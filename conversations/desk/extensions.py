"""What other apps add to the desk. They register it here because this app can't import them.

Everything for a list or a transcript gets a whole page of rows, so that it needs one query.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import mark_safe

from conversations.models import Conversation, ConversationMessage
from tenants.empty_states import EmptyState

Extension = TypeVar("Extension")
# While there are no conversations: what to do first, if anything.
FirstStep = Callable[[HttpRequest], EmptyState | None]
# Beside the transcript: HTML about the conversation, or "".
Panel = Callable[[Conversation], str]


class Origin(NamedTuple):
    """Something that a reply says where it has it from. url: of its page in the admin."""

    name: str
    text: str
    url: str


class Info(NamedTuple):
    """About a message: a line in its details, a warning that the team sees immediately, what the text is based on."""

    details: str = ""
    warning: str = ""
    origins: Sequence[Origin] = ()


NO_INFO = Info()
# By message ID.
MessageInfo = Callable[[Sequence[ConversationMessage]], dict[int, Info]]
# Beside the transcript, for this user: the URL and the label of each link.
Links = Callable[[HttpRequest, Conversation], Sequence[tuple[str, str]]]
# In the list: one label each, by conversation ID.
Badges = Callable[[Sequence[Conversation]], dict[int, str]]
# Beside the name of the handler: what happens next, or "".
StatusLine = Callable[[Conversation], str]
# A page of its own at <conversation>/<path>/, for those who may reply. Gets the context that every admin page needs.
PageView = Callable[[HttpRequest, Conversation, dict[str, object]], HttpResponse]


class Page(NamedTuple):
    label: str  # of the link to it, beside the reply
    view: PageView
    needs_window: bool  # what it sends can't be sent once the 24-hour window has closed


# Above the inbox: HTML about what is broken, or "".
Banner = Callable[[HttpRequest], str]

first_steps: list[FirstStep] = []
banners: list[Banner] = []
panels: list[Panel] = []
links: list[Links] = []
message_info: list[MessageInfo] = []
badges: list[Badges] = []
status_lines: list[StatusLine] = []
pages: dict[str, Page] = {}  # by path


def register(extensions: list[Extension]) -> Callable[[Extension], Extension]:
    """Decorates a function that becomes one of these extensions."""

    def add(extension: Extension) -> Extension:
        extensions.append(extension)
        return extension

    return add


def register_page(path: str, label: str, *, needs_window: bool) -> Callable[[PageView], PageView]:
    """The URL's name is `admin:conversations_<path>`."""

    def register(view: PageView) -> PageView:
        pages[path] = Page(label, view, needs_window)
        return view

    return register


def first_step_for(request: HttpRequest) -> EmptyState | None:
    return next((found for first_step in first_steps if (found := first_step(request))), None)


def banners_for(request: HttpRequest) -> str:
    return mark_safe("".join(banner(request) for banner in banners))  # noqa: S308 - each is HTML


def message_info_for(messages: Sequence[ConversationMessage]) -> dict[int, Info]:
    return {pk: each for info in message_info for pk, each in info(messages).items()}


def badges_for(conversations: Sequence[Conversation]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for labels in badges:
        for pk, label in labels(conversations).items():
            found[pk].append(label)
    return found
