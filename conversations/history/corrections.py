"""Edits and revokes: applies the sender's changes and deletions to the history.

A correction only affects messages from its own side. A customer can't change what the business wrote, and the WhatsApp
app of the business changes only what was sent from there.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from conversations.choices import MessageOrigin
from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage
from webhooks.recording import forget_text

from .details import NO_DETAILS
from .messages import StoredMessage

KINDS = ("edit", "revoke")


@dataclass(frozen=True, slots=True)
class Revoked:
    """A message that was blanked. `texts`: all its texts, oldest first."""

    message_id: int
    conversation_id: int
    stored_at: dt.datetime
    origin: str
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Correction:
    kind: str
    text: str


_Target = tuple[int, str | None, str]  # conversation, wamid, side


def _side(origin: str) -> str:
    """Automatic echoes come from the WhatsApp app, too."""
    return MessageOrigin.APP if origin == MessageOrigin.AUTOMATIC else origin


def apply(stored: Iterable[StoredMessage]) -> list[Revoked]:
    """Apply the corrections among these messages, and those that came before the messages they correct.

    Call it in the transaction that stored them, with the conversations locked.
    """
    corrections: defaultdict[_Target, list[_Correction]] = defaultdict(list)
    early = []
    for new in stored:
        message = new.message
        if message.kind in KINDS and message.reply_to:
            target = (message.conversation.id, message.reply_to, message.origin)
            corrections[target].append(_Correction(message.kind, message.text))
        if new.corrected_by:
            early.append((message.conversation.id, message.external_id, message.origin))
    corrections.update(_corrections_of(early))
    if not corrections:
        return []
    originals = ConversationMessage.objects.filter(_any(corrections, "external_id")).exclude(kind__in=KINDS)
    revoked: list[ConversationMessage] = []
    edited: list[ConversationMessage] = []
    for original in originals.order_by("pk").select_for_update(of=("self",)).defer("raw_json"):
        found = corrections[original.conversation_id, original.external_id, _side(original.origin)]
        # An edit that comes after the revoke is blanked with it.
        is_revoked = original.revoked_at is not None or _correct(original, found)
        (revoked if is_revoked else edited).append(original)
    ConversationMessage.objects.bulk_update(edited, ["text", "edits", "refused"])
    return _blank(revoked)


def _correct(message: ConversationMessage, corrections: Iterable[_Correction]) -> bool:
    """Whether the message ended up revoked. Its previous texts are kept in `edits`."""
    for correction in corrections:
        if correction.kind == "revoke":
            return True
        message.edits = [*message.edits, {"text": message.text, "until": timezone.now().isoformat()}]
        message.text, message.refused = correction.text, ""
    return False


def _corrections_of(targets: Sequence[_Target]) -> dict[_Target, list[_Correction]]:
    """All corrections of these messages, in the order they came."""
    found: defaultdict[_Target, list[_Correction]] = defaultdict(list)
    if targets:
        rows = ConversationMessage.objects.filter(_any(targets, "reply_to"), kind__in=KINDS)
        for row in rows.order_by("created_at", "pk").defer("raw_json"):
            found[row.conversation_id, row.reply_to, row.origin].append(_Correction(row.kind, row.text))
    return found


def _any(targets: Iterable[_Target], column: str) -> Q:
    condition = Q()
    for conversation_id, wamid, origin in targets:
        origins = [each for each in MessageOrigin if _side(each) == origin]
        condition |= Q(("conversation_id", conversation_id), (column, wamid), ("origin__in", origins))
    return condition


def _blank(messages: Sequence[ConversationMessage]) -> list[Revoked]:
    """Blank deleted messages: their texts, previous texts, edits, raw items and files."""
    if not messages:
        return []
    condition = Q(pk__in=[message.pk for message in messages])
    for message in messages:
        edits = Q(conversation_id=message.conversation_id, reply_to=message.external_id, kind="edit")
        condition |= edits & Q(origin=_side(message.origin))
    ids = list(ConversationMessage.objects.filter(condition).values_list("pk", flat=True))
    blanked = ConversationMessage.objects.filter(pk__in=ids)
    blanked.update(text="", spoken="", refused="", edits=[], raw_json=None, revoked_at=Coalesce("revoked_at", Now()))
    Attachment.objects.filter(message__in=ids).delete()  # the files are removed when this is committed
    forget_text(ids, {"text": "", **NO_DETAILS})
    return [
        Revoked(
            message.pk,
            message.conversation_id,
            message.created_at,
            message.origin,
            [*(former["text"] for former in message.edits), message.text],
        )
        for message in messages
    ]
