"""The contents of a webhook body and who signed it, as frozen values. `whatsapp.webhook.parsing` creates them."""

from dataclasses import dataclass, field
from datetime import datetime

from runtime.untrusted_json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """The file of a message, as the webhook names it. A job fetches the bytes: see `whatsapp.media.fetching`."""

    id: str  # Meta's ID, valid for 7 days
    mime_type: str  # as Meta says, '' if unknown
    sha256: str  # hexadecimal, '' if unknown
    filename: str  # the sender's name for it: for display only


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """What a message from either side contains. At least one of ``phone`` and ``user_id`` names the customer."""

    phone_number_id: str  # Meta's ID of the business's number; all IDs here have at most 255 characters
    display_phone_number: str
    phone: str | None  # the customer's: digits, or as it came if it isn't a phone number
    user_id: str | None  # the customer's business-scoped user ID (BSUID)
    name: str  # the customer's profile name, '' if unknown, at most 255 characters
    group_id: str | None = None  # of a message in a group: `user_id` then stands for the group, `name` for its author
    wamid: str | None  # Meta's message ID; the original report's curl has none
    kind: str  # lower-case: text, image, …; 'unsupported' for types we don't know
    text: str  # readable, whole, never ''; for an edit: the new text alone
    sent_at: datetime | None  # aware, UTC; None if missing or absurd. May be in the future
    reply_to: str | None  # wamid of the message it quotes
    target: str | None  # wamid of the message that a reaction, an edit or a revoke is about
    media: Media | None = None
    raw: Json = field(repr=False)  # the message as received, cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(ChatMessage):
    """A message that the business sent from the WhatsApp app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage(ChatMessage):
    """A message from a customer."""

    username: str
    referral: Json | None  # the advertisement that led here
    needs_answer: bool  # whether the assistant should answer
    at_once: bool  # a tap on a button or a list entry: nothing more will follow
    moved_to_phone: str | None  # the customer's number from now on
    moved_to_user_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """The status of a message we sent. At least one of ``wamid`` and ``message_id`` is known."""

    phone_number_id: str
    wamid: str | None
    message_id: int | None  # our own ID, which biz_opaque_callback_data brings back
    status: str  # sent, delivered, read or failed; a played voice note counts as read
    at: datetime | None
    error_code: int | None
    error_detail: str
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What couldn't be understood, and why.

    ``parse(raw)`` returns it again or, once we can read it, the message it contains. That's how a quarantined event
    is replayed.
    """

    reason: str
    field: str  # the webhook field it came in, '' if unknown
    phone_number_id: str
    raw: Json  # a webhook body with this one item; {"body": …} if it isn't a webhook body


@dataclass(frozen=True, slots=True)
class Signer:
    """The app that signed a delivery: that of these accounts, or the installation's if there are none. None: nobody,
    which is accepted only while no app secret is set (DEBUG).
    """

    accounts: frozenset[int] | None = frozenset()

    @property
    def as_column(self) -> list[int] | None:
        """The value of the column `signed_by`."""
        return None if self.accounts is None else sorted(self.accounts)


@dataclass(frozen=True, slots=True)
class WebhookBody:
    """Everything in one webhook body, each kind in the order it came."""

    messages: tuple[InboundMessage, ...] = ()
    echoes: tuple[Echo, ...] = ()
    statuses: tuple[StatusUpdate, ...] = ()
    rejected: tuple[Rejected, ...] = ()

    @property
    def items(self) -> "tuple[Item, ...]":
        return (*self.messages, *self.echoes, *self.statuses, *self.rejected)


Item = InboundMessage | Echo | StatusUpdate | Rejected
