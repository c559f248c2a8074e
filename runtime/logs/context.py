"""Which request, delivery, conversation, turn, message or job the work is about: every JSON log line says it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Ids = Mapping[str, int | str]
_bound: ContextVar[Ids] = ContextVar("bound", default={})  # noqa: B039 - never changed, only replaced


def current() -> Ids:
    return _bound.get()


def start(**ids: int | str) -> None:
    """Begin something new in this thread or task: these IDs replace all others."""
    _bound.set(ids)


@contextmanager
def bound(**ids: int | str | None) -> Iterator[None]:
    """Add these IDs while this lasts; those that are None aren't known."""
    token = _bound.set({**_bound.get(), **_known(ids)})
    try:
        yield
    finally:
        _bound.reset(token)


def about(**ids: int | str | None) -> dict[str, Ids]:
    """The argument `extra` of one log call that is about something else than the current work, as in a batch."""
    return {"ids": _known(ids)}


def _known(ids: Mapping[str, int | str | None]) -> Ids:
    return {name: value for name, value in ids.items() if value is not None}
