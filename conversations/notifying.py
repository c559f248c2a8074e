"""What the team is notified of, and how they react: opens and closes the incidents of conversations."""

from collections.abc import Iterable, Sequence

from django.db import connection
from django.urls import reverse

from notifications import incidents
from notifications.choices import Kind
from notifications.incidents import Incident

from .choices import ConversationHandler
from .models import Conversation

SUBJECT = "conversation:"
LOOKS_SECONDS = 5  # in which someone who is looking at the conversation sees a new message themselves
FLAGS = (Kind.HANDOVER, Kind.FAILED)
ALL = (*FLAGS, Kind.MESSAGE, Kind.UNANSWERED)


def flagged(conversation_ids: Sequence[int], kind: Kind, reason: str, summary: str = "") -> None:
    """These conversations are flagged."""
    title = "{} needs an agent" if kind == Kind.HANDOVER else "A message to {} has a problem"
    text = f"{reason}{'' if reason.endswith('.') or not summary else '.'} {summary}"
    incidents.open_all(
        _about(each, kind, title.format(each), text)
        for each in Conversation.objects.filter(pk__in=conversation_ids).order_by("pk")
    )


def customer_wrote(conversation_ids: Iterable[int]) -> None:
    """The assistant won't answer this, so notify whoever handles the conversation."""
    happened = []
    for each in Conversation.objects.filter(pk__in=list(conversation_ids)).order_by("pk"):
        text = "Your team hasn't answered yet."
        happened.append(_about(each, Kind.UNANSWERED, f"{each} is waiting for an answer", text))
        if each.handled_by == ConversationHandler.OPERATOR and each.operator_id:
            title = f"New message from {each}"
            happened.append(_about(each, Kind.MESSAGE, title, user_id=each.operator_id, wait_seconds=LOOKS_SECONDS))
    incidents.open_all(happened)


def _about(
    of: Conversation, kind: Kind, title: str, text: str = "", user_id: int | None = None, wait_seconds: float = 0
) -> Incident:
    (subject,) = subjects([of.pk])
    path = reverse("admin:conversations_conversation_change", args=[of.pk])
    return Incident(of.tenant_id, kind, subject, title, text, path, user_id, wait_seconds)


def subjects(conversation_ids: Iterable[int]) -> list[str]:
    """The subjects of the incidents about these conversations."""
    return [f"{SUBJECT}{pk}" for pk in conversation_ids]


def opened(conversation_ids: Sequence[int]) -> None:
    """Someone who can reply has opened them."""
    _close(conversation_ids, (*FLAGS, Kind.MESSAGE))


def unflagged(conversation_ids: Sequence[int]) -> None:
    _close(conversation_ids, FLAGS)


def seen(conversation_id: int) -> None:
    """The newest message is on the screen of someone who can reply."""
    _close([conversation_id], [Kind.MESSAGE])


def answered(conversation_ids: Sequence[int]) -> None:
    """The team has answered, or the assistant answers from now on."""
    _close(conversation_ids, ALL)


def forget(conversation_ids: Iterable[int]) -> None:
    """These conversations are deleted: so is what the log of notifications says about them."""
    incidents.forget(subjects(conversation_ids))


def _close(conversation_ids: Sequence[int], kinds: Iterable[Kind]) -> None:
    incidents.close(subjects(conversation_ids), kinds)


# Whatever else cleared a flag, answered a customer or deleted a conversation.
_OVER = """
SELECT i.kind, array_agg(i.subject) FROM (
    SELECT kind, subject FROM notification_incidents WHERE closed_at IS NULL AND starts_with(subject, %(subject)s)
) AS i
LEFT JOIN conversations c ON c.id = substr(i.subject, length(%(subject)s) + 1)::bigint
WHERE CASE
    WHEN c.id IS NULL THEN true
    WHEN i.kind IN ('handover', 'failed') THEN c.needs_person = ''
    ELSE c.handled_by = 'assistant' AND c.is_active END
GROUP BY i.kind
"""


def close_over() -> int:
    """Close the incidents of conversations that no longer need anyone. A recurring function."""
    with connection.cursor() as cursor:
        cursor.execute(_OVER, {"subject": SUBJECT})
        over = cursor.fetchall()
    return sum(incidents.close(about, [Kind(kind)]) for kind, about in over)
