"""The buttons of the conversation page: each is a POST, answered by going back to the page."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from conversations import handover
from conversations.files import uploads
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import queue as outbox
from conversations.outbox import splitting

from . import extensions, notes, transcript
from .notes import name_of
from .transcript_marks import digest

if TYPE_CHECKING:
    from tenants.scoped_admin import TenantScopedAdmin

    Base = TenantScopedAdmin
else:
    Base = object

WINDOW_CLOSED = "The customer wrote more than 24 hours ago: WhatsApp takes no free text until they write again."


class DeskViews(Base):
    """What a person does on the page of one conversation; mixed into its admin, which says who may."""

    def get_urls(self) -> list[URLPattern]:
        posts: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("take-over", self.take_over_view, "take_over"),
            ("hand-back", self.hand_back_view, "hand_back"),
            ("reply", self.reply_view, "reply"),
            ("note", self.note_view, "note"),
            ("clear-needs-person", self.clear_needs_person_view, "clear_needs_person"),
            ("messages/<int:message_id>/send-again", self.send_again_view, "send_again"),
            ("messages/<int:message_id>/delivered", self.mark_delivered_view, "mark_delivered"),
        ]
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/transcript/", wrap(self.transcript_view), name="conversations_transcript"),
            *(
                path(f"<int:pk>/{address}/", wrap(require_POST(view)), name=f"conversations_{name}")
                for address, view, name in posts
            ),
            *super().get_urls(),
        ]

    # --- who ---

    def readable(self, request: HttpRequest, pk: int) -> Conversation:
        found: Conversation = get_object_or_404(self.get_queryset(request), pk=pk)
        return found

    def writable(self, request: HttpRequest, pk: int) -> Conversation:
        conversation = self.readable(request, pk)
        if not self.has_change_permission(request, conversation):
            raise PermissionDenied
        return conversation

    def back_to(self, conversation: Conversation, part: str = "") -> HttpResponseRedirect:
        page = reverse("admin:conversations_conversation_change", args=[conversation.pk])
        return HttpResponseRedirect(page + part)

    # --- reading ---

    def transcript_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A part of the transcript: older messages (`before`), or what changed since it was drawn (`since`)."""
        conversation = self.readable(request, pk)
        may_write = self.has_change_permission(request, conversation)
        if (before := request.GET.get("before", "")).isdecimal():
            page = transcript.older(conversation, int(before))
            context = {"conversation": conversation, "page": page, "may_write": may_write}
            return render(request, "conversations/older.html", context)
        since = request.GET.get("since", "")
        page = transcript.since(conversation, int(since)) if since.isdecimal() else transcript.newest(conversation)
        seen = digest(conversation, page)
        if seen == request.GET.get("seen"):
            return HttpResponse(status=204)  # htmx leaves the page as it is
        if may_write:
            mark_seen(conversation, page)
        context = {"conversation": conversation, "page": page, "may_write": may_write, "seen": seen}
        context |= {"live": True, **standing(conversation)}  # the head with it: somebody may have taken it over
        return render(request, "conversations/newest.html", context)

    # --- doing ---

    def take_over_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.take_over(conversation.pk, _person(request))
        messages.success(request, "You have this conversation. The assistant is silent until you hand it back.")
        return self.back_to(conversation)

    def hand_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.hand_back(conversation.pk, _person(request))
        messages.success(request, "The assistant has it again: it answers what the customer writes next.")
        return self.back_to(conversation)

    def clear_needs_person_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.clear_needs_person(conversation.pk)
        return self.back_to(conversation)

    def reply_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        text, file = _text_of(request), request.FILES.get("file")
        if refusal := why_no_reply(conversation, request.user, text or ("a file" if file else "")):
            messages.error(request, f"{refusal} Nothing was sent.")
            return self.back_to(conversation)
        try:
            upload = uploads.keep(file, text, file.content_type or "") if file else None
        except ValueError as error:
            messages.error(request, f"{error} Nothing was sent.")
            return self.back_to(conversation)
        outbox.say(conversation, upload or text, _person(request))
        return self.back_to(conversation, "#sent")  # desk.js forgets the draft

    def note_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A note is for the people here: whoever has the conversation, and whether the window is open or not."""
        conversation = self.writable(request, pk)
        if text := _text_of(request):
            notes.add(conversation.pk, _person(request), text)
        else:
            messages.error(request, "Write something first: an empty note is not kept.")
        return self.back_to(conversation)

    def send_again_view(self, request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
        conversation, message = self._message(request, pk, message_id)
        if not handover.send_again(message.pk, _person(request)):
            messages.warning(request, "That message is no longer failed or uncertain; nothing was sent again.")
        return self.back_to(conversation)

    def mark_delivered_view(self, request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
        conversation, message = self._message(request, pk, message_id)
        if not handover.mark_delivered(message.pk, _person(request)):
            messages.warning(request, "That message is no longer uncertain.")
        return self.back_to(conversation)

    def _message(self, request: HttpRequest, pk: int, message_id: int) -> tuple[Conversation, ConversationMessage]:
        conversation = self.writable(request, pk)
        return conversation, get_object_or_404(conversation.messages, pk=message_id)


def mark_seen(conversation: Conversation, page: transcript.Page) -> None:
    """What is on the page was seen by somebody who answers: it is not unread any more."""
    if page.bubbles:
        newest = page.bubbles[-1].message.created_at
        unseen = Q(seen_at__isnull=True) | Q(seen_at__lt=newest)
        Conversation.objects.filter(unseen, pk=conversation.pk).update(seen_at=newest)


def _text_of(request: HttpRequest) -> str:
    # A browser sends each new line as two characters.
    return request.POST.get("text", "").replace("\x00", "").replace("\r\n", "\n").strip()


def _person(request: HttpRequest) -> Any:
    return request.user


def why_no_reply(conversation: Conversation, person: Any, text: str, at_any_time: bool = False) -> str:
    """Why that person's reply cannot be sent, in words; "" when it can. `at_any_time`: it needs no open window."""
    taken_by = conversation.operator
    if not text:
        return "Write something first."
    if len(text) > splitting.LIMIT * 10:
        return f"That is too long: at most {splitting.LIMIT * 10} characters."
    if taken_by and taken_by.pk != person.pk and conversation.handled_by == Conversation.Handler.OPERATOR:
        return f"{name_of(taken_by)} has this conversation. Take it over first."
    return "" if at_any_time or conversation.window_is_open() else WINDOW_CLOSED


def standing(conversation: Conversation) -> dict[str, str]:
    """What the head of the page says besides who has it."""
    return {"window_left": window_left(conversation), "outlook": extensions.status_line_of(conversation)}


def window_left(conversation: Conversation) -> str:
    """How long the customer can still be answered freely; "" when the window is closed."""
    if not conversation.window_is_open() or conversation.window_closes_at is None:
        return ""
    return str(naturaltime(conversation.window_closes_at)).removesuffix(" from now")
