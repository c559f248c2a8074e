"""Answers "nothing has changed" before Django reads the session, which is most of what a poll costs.

It's only given for a few seconds after the same session was checked in full, and it reveals nothing. Every other answer
takes the full path through Django. After signing out or leaving a business, someone can still get it for these seconds.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from runtime.row_security.scope import Scope
from tenants.users import user_of

from . import version
from .version import Version

TRUSTED_SECONDS = 10
MAX_REMEMBERED = 5000  # sessions per process
LIVE = re.compile(r"/conversations/conversation/(?:(\d{1,18})/)?live/$")


@dataclass(frozen=True, slots=True)
class _Checked:
    scope: Scope
    user_id: int
    until: float


_checked: dict[str, _Checked] = {}
_lock = Lock()


def remember(request: HttpRequest, scope: Scope) -> None:
    """This request's session was just checked in full."""
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return
    with _lock:
        _checked.pop(key, None)
        _checked[key] = _Checked(
            scope, user_of(request).pk, time.monotonic() + TRUSTED_SECONDS
        )  # the newest comes last
        if len(_checked) > MAX_REMEMBERED:
            del _checked[next(iter(_checked))]


class PollingMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known = Version.parse(request.headers.get("If-None-Match", ""))
        if known.inbox and (found := LIVE.search(request.path_info)):
            session = _checked.get(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))
            opened = int(found[1]) if found[1] else None
            if (
                session
                and session.until > time.monotonic()
                and (known.since or opened is None)
                and version.current(session.scope, session.user_id, opened, known.since) == known
            ):
                return HttpResponseNotModified()
        return self.get_response(request)
