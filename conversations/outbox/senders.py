"""The interface of senders. `settings.MESSAGE_SENDER` is the dotted path of one, like Django's EMAIL_BACKEND.

The channel's app is above this one, so it can't be imported here.
"""

import functools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from .contents import Content

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message as a sender needs it."""

    message_id: int
    tenant_id: int
    channel: str
    phone_number_id: str
    phone: str | None  # the contact's number, digits
    user_id: str | None  # the contact's BSUID; at least one of the two is set
    text: str
    reply_to: str = ""  # the wamid to quote
    content: Content | None = None  # instead of the text
    attachment_id: int | None = None  # the row of our own file
    media_id: str = ""  # the channel's ID of that file, if it was uploaded before
    conversation_id: int = 0


class Policy(Enum):
    """What to do with a message that wasn't sent, or may not have been."""

    RETRY = "retry"  # retry after the failure's waits, one per attempt; when they're used up, the message has failed
    WAIT = "wait"  # throttled: retry after `retry_in`, without counting an attempt
    HOLD = "hold"  # stays queued until someone acts (for example, replaces a refused token)
    FAIL = "fail"  # retrying is pointless
    UNCERTAIN = "uncertain"  # bytes were sent but no response came back: it may have arrived, so it's never retried


@dataclass(eq=False)
class SendFailed(Exception):
    """A message was not sent, or no one knows whether it was.

    code: the channel's. waits: for RETRY, seconds before the second, third, … attempt. retry_in: for WAIT, seconds.
    """

    detail: str
    policy: Policy
    code: int | None = None
    waits: tuple[float, ...] = ()
    retry_in: float = 0

    def __str__(self) -> str:
        return self.detail


class Sender(Protocol):
    """The class that `MESSAGE_SENDER` names. Created once per process, and used by many tasks of one event loop."""

    async def send(self, outbound: Outbound) -> str:
        """Send one message and return the channel's ID for it (wamid), '' if it's unknown. Only raises SendFailed."""

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        """Mark a customer's message as read and show the typing indicator. Raises SendFailed."""

    def held_numbers(self) -> Mapping[str, float | None]:
        """The phone number IDs that must not send now, with the seconds until they may; None if someone has to act
        first.

        Called in a database thread.
        """


class ConsoleSender:
    """Writes to the log instead of sending, for development without a channel."""

    async def send(self, outbound: Outbound) -> str:
        logger.info("to %s: %s", outbound.phone or outbound.user_id, outbound.text)
        return f"console.{outbound.message_id}"

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        logger.info("typing to the author of %s", wamid)

    def held_numbers(self) -> Mapping[str, float | None]:
        return {}


@functools.cache
def load_sender() -> Sender:
    """The sender of this process. Raises ImportError if the setting is invalid."""
    sender: Sender = import_string(settings.MESSAGE_SENDER)()
    return sender
