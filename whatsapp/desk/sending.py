"""What the pages for sending have in common: who may, and the desk's own rules."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from conversations.desk.views import why_no_reply
from conversations.models import Conversation
from conversations.outbox import queue as outbox
from conversations.outbox.contents import Content, Template


def writable(site: AdminSite, request: HttpRequest, conversation_id: int) -> Conversation:
    """As the desk has it: the conversations of the person's own tenants, where they may write."""
    theirs: Any = site.get_model_admin(Conversation)
    conversation: Conversation = get_object_or_404(theirs.get_queryset(request), pk=conversation_id)
    if not theirs.has_change_permission(request, conversation):
        raise PermissionDenied
    return conversation


def send(request: HttpRequest, conversation: Conversation, content: Content) -> bool:
    """Queue it as this person, who has the conversation from then on; or say why not."""
    person: Any = request.user
    if refusal := why_no_reply(conversation, person, content.words, at_any_time=isinstance(content, Template)):
        messages.error(request, refusal)
        return False
    outbox.say(conversation, content, person)
    return True
