"""The one call that goes up: `settings.MESSAGE_SENDER` names what sends, as a dotted path like Django's EMAIL_BACKEND.

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
    attachment_id: int | None = None  # the row of a file of ours
    media_id: str = ""  # the channel's id of that file, where it has it already


class Policy(Enum):
    """What becomes of a message that was not sent, or may not have been."""

    RETRY = "retry"  # again after the failure's waits, one per attempt; when they're used up, it has failed
    WAIT = "wait"  # the channel is throttled: again after `retry_in`, without counting an attempt
    HOLD = "hold"  # not before someone acts (a refused token, say): it stays queued
    FAIL = "fail"  # trying again is pointless
    UNCERTAIN = "uncertain"  # bytes went out and no answer came back: it may have arrived, so it's never repeated


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
    """What `MESSAGE_SENDER` names: made once a process, used from many tasks of one event loop."""

    async def send(self, outbound: Outbound) -> str:
        """Send one message and return the channel's id of it (wamid). Raises SendFailed, and nothing else."""

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        """Mark a customer's message as read and show that an answer is being written. Raises SendFailed."""

    def held_numbers(self) -> Mapping[str, float | None]:
        """The phone number IDs that must not send now: seconds until they may, None for not before someone acts.

        Called in a database thread.
        """


class ConsoleSender:
    """Writes to the log instead of sending: for work without any channel."""

    async def send(self, outbound: Outbound) -> str:
        logger.info("to %s: %s", outbound.phone or outbound.user_id, outbound.text)
        return f"console.{outbound.message_id}"

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        logger.info("typing to the author of %s", wamid)

    def held_numbers(self) -> Mapping[str, float | None]:
        return {}


@functools.cache
def load_sender() -> Sender:
    """The sender of this process. Raises ImportError when the setting names none."""
    sender: Sender = import_string(settings.MESSAGE_SENDER)()
    return sender
