"""What a webhook body says, as frozen values. `whatsapp.webhook.parsing` makes them and names them all."""

from dataclasses import dataclass, field
from datetime import datetime

from runtime.untrusted_json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """The file of a message, as the webhook names it. The bytes are fetched by a job, see `whatsapp.media.fetching`."""

    id: str  # Meta's id, good for 7 days
    mime_type: str  # as Meta says, '' when unknown
    sha256: str  # hexadecimal, '' when unknown
    filename: str  # as the sender calls it: to be shown, never to be opened


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """What a message has whoever sent it. At least one of ``phone`` and ``user_id`` names the customer."""

    phone_number_id: str  # the business's number, by Meta's id: at most 255 characters, as all ids here
    display_phone_number: str
    phone: str | None  # the customer's: digits, or as it came when it is no phone number
    user_id: str | None  # the customer's business-scoped user id (BSUID)
    name: str  # the customer's profile name, '' when unknown, at most 255 characters
    wamid: str | None  # Meta's message id; the report's own curl has none
    kind: str  # lower-case: text, image, …; what we do not know is 'unsupported'
    text: str  # readable, whole, never ''; of an edit: the new text alone
    sent_at: datetime | None  # aware, UTC; None when missing or absurd. Not held against the clock
    reply_to: str | None  # wamid of the message it quotes
    target: str | None  # wamid of the message that a reaction, an edit or a revoke is about
    media: Media | None = None
    raw: Json = field(repr=False)  # the message as it came, cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(ChatMessage):
    """A message that a person of the business sent from the WhatsApp app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage(ChatMessage):
    """A message from a customer."""

    username: str
    referral: Json | None  # the advertisement that led here
    speaks: bool  # whether the assistant should answer
    at_once: bool  # a tap on a button or a list: complete, there is nothing more to wait for
    moved_to_phone: str | None  # the customer has this number from now on
    moved_to_user_id: str | None
    forwarded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """What became of a message we sent. At least one of ``wamid`` and ``message_id`` is known."""

    phone_number_id: str
    wamid: str | None
    message_id: int | None  # our own id, which biz_opaque_callback_data brings back
    status: str  # sent, delivered, read or failed; a played voice note counts as read
    at: datetime | None
    recipient: str  # phone number, BSUID or group; '' when unknown
    error_code: int | None
    error_detail: str
    raw: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What could not be understood, and why. ``parse(raw)`` gives this one again, or, once we have
    learned to read it, the message in it: that is how a quarantined event is replayed.
    """

    reason: str
    field: str  # the webhook field it came by, '' when unknown
    phone_number_id: str
    raw: Json  # a webhook body with this one piece; {"body": …} for what is no webhook body at all


@dataclass(frozen=True, slots=True)
class WebhookBody:
    """All that one webhook body holds, each in the order it came."""

    messages: tuple[InboundMessage, ...]
    echoes: tuple[Echo, ...]
    statuses: tuple[StatusUpdate, ...]
    rejected: tuple[Rejected, ...]
