"""The outbox: an outbound message is a row first, and the row is the truth; a job only wakes somebody up."""

import datetime as dt
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now
from procrastinate.contrib.django import app
from procrastinate.types import JSONValue

from conversations import handover, webhook_events
from conversations.files import attachments
from conversations.models import ClockTimestamp, Conversation, ConversationMessage, Pause, Status, lock
from conversations.statuses import BEFORE_SENT
from runtime.clock import from_now

from . import contents, sent_at_once, splitting
from .contents import Content
from .senders import Outbound, SendFailed

ON_HOLD_SECONDS = 300  # how often a message behind a refused token is looked at again
OUTSIDE_WINDOW = 131047  # Meta's code for it


def send(
    conversation: Conversation, text: str, author: User | None = None, reply_to: str = ""
) -> list[ConversationMessage]:
    """Queue a text, from the assistant or (with `author`) from a person: one row a bubble, and the wake-up."""
    with transaction.atomic():
        messages = queue(conversation, text, author, reply_to)
        if messages:
            wake([messages[0].pk])
    return messages


def queue(
    conversation: Conversation, text: str, author: User | None = None, reply_to: str = ""
) -> list[ConversationMessage]:
    """Queue a text without a wake-up, in the caller's transaction, who delivers it afterwards; else the sweep does."""
    # The conversation's lock keeps the order of its messages the order of their ids.
    _touch(conversation, author)
    return ConversationMessage.objects.bulk_create(
        _row(conversation, bubble, author, reply_to if position == 0 else "")
        for position, bubble in enumerate(splitting.split_text(text))
    )


def send_message(
    conversation: Conversation, content: Content, author: User | None = None, reply_to: str = ""
) -> ConversationMessage:
    """Queue anything but a text: a file, buttons, a list, the wish for a place, a template (see `contents`).

    A template may go out when the window is closed. `reply_to`: the wamid to quote.
    """
    with transaction.atomic():
        _touch(conversation, author)
        message = _row(conversation, content.as_text, author, reply_to)
        message.kind, message.payload = content.message_kind, contents.to_json(content)
        message.save(force_insert=True)
        if upload := contents.upload_in(content):
            attachments.attach(message.pk, upload)
        wake([message.pk])
    return message


def _touch(conversation: Conversation, author: User | None) -> None:
    moved = {"last_message_at": ClockTimestamp(), "updated_at": ClockTimestamp()}
    if author:
        moved["person_at"] = ClockTimestamp()
    Conversation.objects.filter(pk=conversation.pk).update(**moved)


def _row(conversation: Conversation, text: str, author: User | None, reply_to: str) -> ConversationMessage:
    return ConversationMessage(
        conversation=conversation,
        role="assistant",
        origin="operator" if author else "assistant",
        author=author,
        text=text,
        reply_to=reply_to,
        status=Status.QUEUED,
        next_attempt_at=Now(),
    )


def wake(message_ids: Iterable[int], at: dt.datetime | None = None) -> None:
    """Defer the delivery of these messages, on Django's connection: row and job live or die together."""
    jobs: list[dict[str, JSONValue]] = [{"message_id": pk} for pk in message_ids]
    if jobs:
        app.configure_task("conversations.tasks.deliver", schedule_at=at).batch_defer(*jobs)


def claim(message_id: int) -> Outbound | None:
    """Make one due message *sending*, committed before a byte leaves. None: not due, not first, or not to be sent."""
    queued = ConversationMessage.objects.filter(pk=message_id, status=Status.QUEUED)
    message = queued.select_related("conversation").defer("raw_json", "edits").first()
    if message is None:
        return None
    if reason := _why_not(message):
        with transaction.atomic():
            lock(messages=message_id)
            _fail([Status.QUEUED], message_id, *reason)
        return None
    # A person who takes over between these two lines finds the message queued, and it is not ours any more.
    if not _take_if_first(message_id):
        return None
    conversation = message.conversation
    content = contents.from_json(message.payload) if message.payload else None
    file = attachments.of_ours(message.pk) if contents.upload_in(content) else None
    return Outbound(
        message_id=message.pk,
        channel=conversation.channel,
        phone_number_id=conversation.phone_number_id,
        phone=conversation.phone,
        user_id=conversation.contact_user_id,
        text=message.text,
        reply_to=message.reply_to,
        content=content,
        attachment_id=file.pk if file else None,
        media_id=file.media_id if file else "",
    )


# SQL: of all that Django writes for a message this is said most often.
_TAKE_IF_FIRST = """
UPDATE conversation_messages AS m SET status = 'sending', sending_at = statement_timestamp()
WHERE m.id = %s AND m.status = 'queued' AND m.next_attempt_at <= statement_timestamp() AND NOT EXISTS (
    SELECT FROM conversation_messages before_me WHERE before_me.conversation_id = m.conversation_id
        AND before_me.id < m.id AND before_me.status IN ('queued', 'sending'))
"""


def _take_if_first(message_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_IF_FIRST, [message_id])
        return bool(cursor.rowcount)


def _why_not(message: ConversationMessage) -> tuple[int | None, str] | None:
    """(Meta's code, words) when circumstances have changed since the message was queued."""
    conversation = message.conversation
    if message.origin == "assistant" and conversation.handled_by == Conversation.Handler.OPERATOR:
        return None, handover.TAKEN_OVER
    if message.kind != "template" and not conversation.window_is_open():
        return OUTSIDE_WINDOW, "The 24 hours in which the customer can be answered are over."
    return None


def record_sent(message_id: int, wamid: str) -> int | None:
    """The channel took it. The answer: the next message waiting in this conversation, if any."""
    if not sent_at_once.note(message_id, wamid):
        _record_step_by_step(message_id, wamid)
    return next_in_line(message_id)


def _record_step_by_step(message_id: int, wamid: str) -> None:
    message = ConversationMessage.objects.filter(pk=message_id)
    known = {"external_id": wamid, "sent_at": Now(), "error_code": None, "error_detail": ""}
    with transaction.atomic():
        in_order = message.filter(status=Status.SENDING).update(status=Status.SENT, **known)
        if not in_order:
            # Its status webhook came first and may have moved it further; or the sweep gave up waiting for us.
            message.update(
                status=Case(When(status__in=BEFORE_SENT, then=Value(Status.SENT)), default=F("status")), **known
            )
        webhook_events.sent(message_id)
    if not in_order:
        handover.clear_uncertain(message_id)


def next_in_line(message_id: int) -> int | None:
    conversation = ConversationMessage.objects.filter(pk=message_id).values("conversation_id")
    waiting = ConversationMessage.objects.filter(
        conversation_id__in=conversation, status=Status.QUEUED, next_attempt_at__lte=Now()
    )
    return waiting.order_by("id").values_list("id", flat=True).first()


def record_failure(message_id: int, failure: SendFailed) -> int | None:
    """What becomes of a message that is *sending* and failed; moves nothing that a status webhook moved first.

    The answer: the next message waiting in this conversation, if this one is done with.
    """
    with transaction.atomic():
        lock(messages=message_id)
        wait = _wait(message_id, failure)
        if wait is not None and _put_back(message_id, failure, wait):
            return None
        if failure.uncertain:
            give_up_waiting(message_id, failure.detail)
        else:
            # A refusal that was learned after the sweep gave up waiting: others may have gone out meanwhile.
            _fail([Status.SENDING, Status.UNCERTAIN], message_id, failure.code, failure.detail)
    return next_in_line(message_id)


def _wait(message_id: int, failure: SendFailed) -> float | None:
    """Seconds until the next attempt; None when there is none."""
    if failure.permanent or failure.uncertain:
        return None
    if failure.on_hold:
        return ON_HOLD_SECONDS
    if failure.retry_in is not None:
        return failure.retry_in
    attempts = ConversationMessage.objects.values_list("attempts", flat=True).get(pk=message_id)
    return failure.waits[attempts] if attempts < len(failure.waits) else None


def _put_back(message_id: int, failure: SendFailed, wait: float) -> int:
    counted = 0 if failure.on_hold or failure.retry_in is not None else 1
    moved = ConversationMessage.objects.filter(pk=message_id, status=Status.SENDING).update(
        status=Status.QUEUED,
        next_attempt_at=from_now(wait),
        attempts=F("attempts") + counted,
        error_code=failure.code,
        error_detail=failure.detail,
    )
    if moved:
        # The time as the database has it: a job that came early by our clock would find nothing due.
        wake([message_id], ConversationMessage.objects.values_list("next_attempt_at", flat=True).get(pk=message_id))
        if failure.needs_person:
            handover.mark_needs_person(_conversations([message_id]), f"A reply waits: {failure.detail}")
    return moved


def _fail(states: list[Status], message_id: int, code: int | None, detail: str) -> None:
    unsent = ConversationMessage.objects.filter(pk=message_id, status__in=states)
    moved = unsent.update(status=Status.FAILED, failed_at=Now(), error_code=code, error_detail=detail)
    if moved and detail != handover.TAKEN_OVER:
        handover.mark_needs_person(_conversations([message_id]), f"A reply was not sent: {detail}")


def give_up_waiting(message_id: int, detail: str) -> int:
    """*sending* without an answer becomes *uncertain*: shown to a person, settled by the status webhook."""
    with transaction.atomic():
        lock(messages=message_id)
        moved = ConversationMessage.objects.filter(pk=message_id, status=Status.SENDING).update(
            status=Status.UNCERTAIN, error_detail=detail
        )
        if moved:
            handover.mark_needs_person(_conversations([message_id]), handover.UNCERTAIN)
    return moved


def resume(phone_number_id: str) -> int:
    """Send from this number again: its pause ends, its waiting messages are woken. How many."""
    with transaction.atomic():
        Pause.objects.filter(scope=f"number:{phone_number_id}").delete()
        waiting = ConversationMessage.objects.filter(
            status=Status.QUEUED, conversation__phone_number_id=phone_number_id
        ).order_by("id")
        ids = list(waiting.values_list("id", flat=True))
        ConversationMessage.objects.filter(pk__in=ids).update(next_attempt_at=Now())
        wake(ids)
    return len(ids)


def _conversations(message_ids: list[int]) -> list[int]:
    return list(
        ConversationMessage.objects.filter(pk__in=message_ids).values_list("conversation_id", flat=True).distinct()
    )
