"""The way out of Parley: the one call that goes up.

`settings.MESSAGE_SENDER` names the sender (a dotted path, as Django's `EMAIL_BACKEND` does), because the channel
stands above this app and may not be imported from here.
"""

import functools
import logging
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from .contents import Content

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message as a sender needs it."""

    message_id: int
    channel: str
    phone_number_id: str
    phone: str | None  # the contact's number, digits
    user_id: str | None  # the contact's BSUID; at least one of the two is set
    text: str
    reply_to: str = ""  # the wamid to quote
    content: Content | None = None  # instead of the text
    attachment_id: int | None = None  # the row of a file of ours
    media_id: str = ""  # the channel's id of that file, where it has it already


class SendFailed(Exception):
    """A message was not sent, or nobody knows whether it was.

    permanent: trying again is of no use.
    uncertain: bytes went out and no answer was learned; it may have arrived, so it is never sent again by itself.
    waits: seconds before the second, third, … attempt; when they are used up the failure is permanent.
    retry_in: seconds; the channel holds back (a pause): again after that, and no attempt is counted.
    on_hold: not before a person acts (a refused token): the message stays queued.
    needs_person: a person should look at the conversation.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: int | None = None,
        permanent: bool = False,
        uncertain: bool = False,
        waits: tuple[float, ...] = (),
        retry_in: float | None = None,
        on_hold: bool = False,
        needs_person: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.permanent = permanent
        self.uncertain = uncertain
        self.waits = waits
        self.retry_in = retry_in
        self.on_hold = on_hold
        self.needs_person = needs_person


class Sender(Protocol):
    """What `MESSAGE_SENDER` names: made once a process, used from many tasks of one event loop."""

    async def send(self, outbound: Outbound) -> str:
        """Send one message and return the channel's id of it (wamid). Raises SendFailed, and nothing else."""

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        """Mark a customer's message as read and show that an answer is being written. Raises SendFailed."""


class ConsoleSender:
    """Writes to the log instead of sending: for work without any channel."""

    async def send(self, outbound: Outbound) -> str:
        logger.info("to %s: %s", outbound.phone or outbound.user_id, outbound.text)
        return f"console.{outbound.message_id}"

    async def show_typing(self, phone_number_id: str, wamid: str) -> None:
        logger.info("typing to the writer of %s", wamid)


@functools.cache
def load_sender() -> Sender:
    """The sender of this process. Raises ImportError when the setting names none."""
    sender: Sender = import_string(settings.MESSAGE_SENDER)()
    return sender
