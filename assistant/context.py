"""From the history to what the model is shown. Pure: no database, no clock."""

from collections.abc import Sequence

from conversations.models import ConversationMessage

# These rows tell of changes to other rows, or of the channel: they say nothing themselves.
NOT_SPOKEN = {"edit", "revoke", "system", "note", "request_welcome"}
QUOTED = 120  # characters of a quoted message


def build(messages: Sequence[ConversationMessage], to_answer: int = 0) -> list[dict[str, object]]:
    """`[{"role", "content"}, …]`, oldest first, as the report has it; without the system prompt.

    The customer's messages from the id `to_answer` on stand last: one that came while the former reply was on its
    way is older than that reply, and would look answered by it.
    """
    by_wamid = {message.external_id: message for message in messages if message.external_id}
    shown: list[dict[str, object]] = []
    previous = None
    for message in sorted(messages, key=lambda message: _is_open(message, to_answer)):
        if message.kind in NOT_SPOKEN or not message.text:
            continue
        quoted = by_wamid.get(message.reply_to) if message.reply_to else None
        shown.append({"role": message.role, "content": _content(message, quoted if quoted is not previous else None)})
        previous = message
    return shown


def _is_open(message: ConversationMessage, to_answer: int) -> bool:
    return bool(to_answer) and message.role == "user" and message.pk >= to_answer


def _content(message: ConversationMessage, quoted: ConversationMessage | None) -> str:
    """The text; with what it answers, unless that stands right before it."""
    if quoted is None or not quoted.text:
        return message.text
    return f"(About “{quoted.text[:QUOTED]}”)\n{message.text}"
