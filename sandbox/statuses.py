"""The statuses of a business's message: Meta tells the bot how far it has come."""

from functools import partial

from sandbox.envelopes import status
from sandbox.models import Message
from sandbox.pool import pool
from sandbox.posting import post, secret_of

# Meta delivers again what was not answered 200, for 7 days; here it gives up sooner.
RETRY_SECONDS = (1, 4, 16, 60)


def announce(message_id: int, states: tuple[str, ...] = ("sent", "delivered")) -> None:
    """Post one status after the other, each once the one before was taken."""
    _step(message_id, states, tries=0)


def announce_failure(message_id: int, code: int) -> None:
    message = _load(message_id)
    if message.advance("failed", f"Failed with code {code}."):
        post(status(message, "failed", error_code=code), secret_of(message.chat.number))


def _step(message_id: int, states: tuple[str, ...], tries: int) -> None:
    if not states:
        return
    message = _load(message_id)
    message.advance(states[0])
    if post(status(message, states[0]), secret_of(message.chat.number)).ok:
        pool.submit(partial(_step, message_id, states[1:], 0))
    elif tries < len(RETRY_SECONDS):
        pool.submit(partial(_step, message_id, states, tries + 1), RETRY_SECONDS[tries])


def _load(message_id: int) -> Message:
    return Message.objects.select_related("chat__number", "chat__customer").get(pk=message_id)
