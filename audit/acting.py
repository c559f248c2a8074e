"""Who is acting: the person, key or command behind whatever runs now. A worker acts for nobody, and isn't recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from .choices import ActorKind


@dataclass(frozen=True, slots=True)
class Actor:
    kind: ActorKind
    name: str  # as the log shows it for good
    id: int | None = None
    address: str | None = None


Who = Callable[[], Actor | None]  # asked only when there's something to record: it may need the database
_who: ContextVar[Who | None] = ContextVar("audit_who", default=None)


def current() -> Actor | None:
    who = _who.get()
    return who() if who else None


@contextmanager
def acting(who: Who | None) -> Iterator[None]:
    """Record what happens in this block as done by them. None: record nothing."""
    token = _who.set(who)
    try:
        yield
    finally:
        _who.reset(token)


def become(actor: Actor) -> None:
    """From here to the end of the enclosing `acting`, it's this one: the request's key is known now."""
    _who.set(lambda: actor)
