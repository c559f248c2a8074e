"""Queues outgoing messages as rows, which a worker finds: see `claiming` and `recording`."""

import re

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from conversations.files import attachments
from conversations.history.messages import insert_messages
from conversations.models import ClockTimestamp, Conversation, ConversationMessage, Pause, Status
from runtime.notify import notify_workers_on_commit

from . import contents, splitting
from .contents import Content

_LINK = re.compile(r"https?://\w", re.IGNORECASE)  # WhatsApp doesn't show previews of other links


def send(
    conversation: Conversation,
    text: str,
    author: User | None = None,
    reply_to: str = "",
    form_token: str | None = None,
) -> list[ConversationMessage]:
    """Queue a text, from the assistant or (with `author`) from someone on the team: one row per bubble."""
    messages = messages_for(conversation, text, author, reply_to)
    for message in messages[:1]:
        message.form_token = form_token
    with transaction.atomic():
        # The conversation's lock keeps the order of its messages the order of their ids.
        _touch(conversation, author)
        insert_messages(messages)
        notify_workers_on_commit()
    return messages


def messages_for(
    conversation: Conversation,
    text: str,
    author: User | None = None,
    reply_to: str = "",
    previews_links: bool = False,
) -> list[ConversationMessage]:
    """The rows of a text, not stored yet. The first one quotes `reply_to` (a wamid). The first one with a link shows a
    preview of it if wanted.
    """
    rows = [
        _row(conversation, bubble, author, reply_to if position == 0 else "")
        for position, bubble in enumerate(splitting.split_text(text))
    ]
    linking = next((row for row in rows if _LINK.search(row.text)), None)
    if previews_links and linking:
        linking.payload = contents.to_json(contents.PreviewedText(linking.text))
    return rows


def send_message(
    conversation: Conversation,
    content: Content,
    author: User | None = None,
    reply_to: str = "",
    form_token: str | None = None,
) -> ConversationMessage:
    """Queue anything other than text: a file, buttons, a list, a location request, a template (see `contents`).

    A template may be sent when the 24-hour window is closed. `reply_to`: the wamid to quote.
    """
    message = _row(conversation, content.as_text, author, reply_to)
    message.kind, message.payload = content.message_kind, contents.to_json(content)
    message.form_token = form_token
    with transaction.atomic():
        _touch(conversation, author)
        insert_messages([message])
        if upload := contents.upload_in(content):
            attachments.attach(message.pk, upload)
        notify_workers_on_commit()
    return message


def resume(phone_number_id: str) -> int:
    """Resume sending from this number: end its pause and make its queued messages due. Returns their number."""
    with transaction.atomic():
        Pause.objects.filter(scope=f"number:{phone_number_id}").delete()
        queued = ConversationMessage.objects.filter(status=Status.QUEUED, conversation__phone_number_id=phone_number_id)
        due = ConversationMessage.objects.filter(pk__in=queued.values("pk")).update(next_attempt_at=Now())
        notify_workers_on_commit()
    return due


def lift(pause: Pause) -> None:
    """End a pause before its time."""
    kind, _, name = pause.scope.partition(":")
    if kind == "number":
        resume(name)
    else:
        pause.delete()  # the assistant then answers what waited for a model endpoint


def _touch(conversation: Conversation, author: User | None) -> None:
    moved = {"last_message_at": ClockTimestamp(), "updated_at": ClockTimestamp()}
    if author:
        moved["person_at"] = ClockTimestamp()
    Conversation.objects.filter(pk=conversation.pk).update(**moved)


def _row(conversation: Conversation, text: str, author: User | None, reply_to: str) -> ConversationMessage:
    return ConversationMessage(
        tenant_id=conversation.tenant_id,
        conversation=conversation,
        role="assistant",
        origin="operator" if author else "assistant",
        author=author,
        text=text,
        reply_to=reply_to,
        status=Status.QUEUED,
        next_attempt_at=Now(),
    )
