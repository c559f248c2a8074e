"""Replies from the team: one rule for who may reply when, and one way to send, for the desk and the API."""

from django.contrib.auth.models import User
from django.db import transaction

from tenants.access import OPERATORS, has_role
from tenants.users import display_name

from . import handover, notifying
from .models import Conversation, ConversationMessage, lock
from .outbox import queue as outbox
from .outbox import splitting
from .outbox.contents import Content, Template

MAX_LENGTH = splitting.LIMIT * 10
WINDOW_CLOSED = "The 24-hour window has closed. Send a template, or wait until the customer writes again."

ALREADY_SENT = "An earlier version of this message was sent before. Read the transcript before you send this one."


class ReplyRefused(Exception):
    """The reply wasn't sent. The message says why, for the person who wrote it."""


def reply(
    conversation_id: int,
    person: User,
    content: str | Content,
    reply_to: str = "",
    form_token: str | None = None,
) -> list[ConversationMessage]:
    """Queue a reply from a member of the team, who takes over the conversation. Raises ReplyRefused.

    Clears the flag: the customer has an answer. `reply_to` is the wamid of the message to quote. A long text becomes
    several messages. A form that was already submitted sends nothing more: returns what it sent then.
    """
    with transaction.atomic():
        # With the lock, the check stays valid until the reply is queued: if two people reply at once, one is refused.
        lock(pk=conversation_id)
        if form_token and (sent := _already_sent(conversation_id, form_token, content)):
            return sent
        conversation = Conversation.objects.select_related("tenant", "operator").get(pk=conversation_id)
        if blocker := reply_blocker(conversation, person, content):
            raise ReplyRefused(blocker)
        if conversation.operator_id != person.pk or conversation.handled_by != Conversation.Handler.OPERATOR:
            handover.take_over(conversation_id, person)
        handover.clear_needs_person([conversation_id])
        notifying.answered([conversation_id])
        if isinstance(content, str):
            return outbox.send(conversation, content, person, reply_to, form_token)
        return [outbox.send_message(conversation, content, person, reply_to, form_token)]


def _already_sent(conversation_id: int, form_token: str, content: str | Content) -> list[ConversationMessage]:
    """The message that this form has sent, if any. Raises ReplyRefused if the form now says something else."""
    sent = list(ConversationMessage.objects.filter(conversation=conversation_id, form_token=form_token))
    text = splitting.split_text(content)[:1] if isinstance(content, str) else [content.as_text]
    if sent and [message.text for message in sent] != text:
        raise ReplyRefused(ALREADY_SENT)
    return sent


def reply_blocker(conversation: Conversation, person: User, content: str | Content | None = None) -> str:
    """Why this person can't send this content now (None: free-form content in general); empty if they can."""
    if isinstance(content, str) and not content.strip():
        return "Enter a message first."
    if isinstance(content, str) and len(content) > MAX_LENGTH:
        return f"The message is too long: the limit is {MAX_LENGTH:,} characters."
    if conversation.tenant and not conversation.tenant.is_active:
        return "This business is suspended."
    if not has_role(person, OPERATORS, conversation.tenant_id):
        return "You have read-only access. Only operators can reply."
    if conversation.handled_by == Conversation.Handler.OPERATOR:
        operator = conversation.operator
        if operator and operator.pk != person.pk:
            return f"{display_name(operator)} is handling this conversation. Take over to reply."
    if not isinstance(content, Template) and not conversation.window_is_open():
        return WINDOW_CLOSED
    return ""
