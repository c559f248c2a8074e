"""The pages and buttons of a conversation. Each button is a POST that redirects back to the conversation."""

from collections.abc import Callable
from functools import partial

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
from conversations.replies import ReplyRefused, reply
from tenants.scoped_admin import TenantScopedAdmin
from tenants.users import user_of

from . import extensions, notes, transcript
from .extensions import PageView


class DeskViews(TenantScopedAdmin):
    """A mixin for the conversation admin, which decides who has access."""

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
                path(f"<int:pk>/{url}/", wrap(require_POST(view)), name=f"conversations_{name}")
                for url, view, name in posts
            ),
            *(
                path(f"<int:pk>/{name}/", wrap(partial(self.extension_view, view)), name=f"conversations_{name}")
                for name, view in extensions.pages.items()
            ),
            *super().get_urls(),
        ]

    # --- access ---

    def readable(self, request: HttpRequest, pk: int) -> Conversation:
        found: Conversation = get_object_or_404(self.get_queryset(request), pk=pk)
        return found

    def writable(self, request: HttpRequest, pk: int) -> Conversation:
        conversation = self.readable(request, pk)
        if not self.has_change_permission(request, conversation):
            raise PermissionDenied
        return conversation

    def back_to(self, conversation: Conversation, fragment: str = "") -> HttpResponseRedirect:
        return HttpResponseRedirect(page_url(conversation) + fragment)

    # --- pages ---

    def transcript_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Part of the transcript: older messages (`before`), or an update of an open page (`since`)."""
        conversation = self.readable(request, pk)
        may_write = self.has_change_permission(request, conversation)
        if (before := request.GET.get("before", "")).isdecimal():
            page = transcript.older(conversation, int(before))
            context = {"conversation": conversation, "page": page, "may_write": may_write}
            return render(request, "conversations/older.html", context)
        since = request.GET.get("since", "")
        page = transcript.since(conversation, int(since)) if since.isdecimal() else transcript.newest(conversation)
        seen = transcript.digest(conversation, page)
        if seen == request.GET.get("seen"):
            return HttpResponse(status=204)  # htmx leaves the page unchanged
        if may_write:
            mark_seen(conversation, page)
        context = {"conversation": conversation, "page": page, "may_write": may_write, "seen": seen}
        context |= {"live": True, **header_context(conversation)}  # someone may have taken over
        return render(request, "conversations/newest.html", context)

    def extension_view(self, view: PageView, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "conversation": conversation}
        return view(request, conversation, context)

    # --- buttons ---

    def take_over_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.take_over(conversation.pk, user_of(request))
        messages.success(
            request, "You've taken over this conversation. The assistant won't reply until you hand it back."
        )
        return self.back_to(conversation)

    def hand_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.hand_back(conversation.pk)
        messages.success(request, "Handed back. The assistant will answer any open and future messages.")
        return self.back_to(conversation)

    def clear_needs_person_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.clear_needs_person([conversation.pk])
        return self.back_to(conversation)

    def reply_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        text, file = _text_of(request), request.FILES.get("file")
        try:
            if file:
                with uploads.kept(file, text, file.content_type or "") as upload:
                    reply(conversation.pk, user_of(request), upload)
            else:
                reply(conversation.pk, user_of(request), text)
        except (ReplyRefused, ValueError) as error:
            messages.error(request, f"Not sent. {error}")
            return self.back_to(conversation)
        return self.back_to(conversation, "#sent")  # desk.js deletes the draft

    def note_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Notes can always be added, whoever handles the conversation and whether or not the window is open."""
        conversation = self.writable(request, pk)
        if text := _text_of(request):
            notes.add(conversation.pk, user_of(request), text)
        else:
            messages.error(request, "Enter some text before saving the note.")
        return self.back_to(conversation)

    def send_again_view(self, request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
        conversation, message = self._message(request, pk, message_id)
        if not handover.send_again(message.pk, user_of(request)):
            messages.warning(request, "Not sent again: the status of this message has changed.")
        return self.back_to(conversation)

    def mark_delivered_view(self, request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
        conversation, message = self._message(request, pk, message_id)
        if not handover.mark_delivered(message.pk, user_of(request)):
            messages.warning(request, "The delivery of this message has already been confirmed.")
        return self.back_to(conversation)

    def _message(self, request: HttpRequest, pk: int, message_id: int) -> tuple[Conversation, ConversationMessage]:
        conversation = self.writable(request, pk)
        return conversation, get_object_or_404(conversation.messages, pk=message_id)


def page_url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[conversation.pk])


def mark_seen(conversation: Conversation, page: transcript.Page) -> None:
    """Someone who can reply has seen this page: its messages are no longer unread."""
    if page.bubbles:
        newest = page.bubbles[-1].message.created_at
        unseen = Q(seen_at__isnull=True) | Q(seen_at__lt=newest)
        Conversation.objects.filter(unseen, pk=conversation.pk).update(seen_at=newest)


def _text_of(request: HttpRequest) -> str:
    # Browsers send line breaks as CRLF.
    return request.POST.get("text", "").replace("\x00", "").replace("\r\n", "\n").strip()


def header_context(conversation: Conversation) -> dict[str, str]:
    lines = filter(None, (status_line(conversation) for status_line in extensions.status_lines))
    return {"window_left": window_left(conversation), "status_line": " · ".join(lines)}


def window_left(conversation: Conversation) -> str:
    """For how long free-form replies are still possible; "" when the window is closed."""
    if not conversation.window_is_open() or conversation.window_closes_at is None:
        return ""
    return str(naturaltime(conversation.window_closes_at)).removesuffix(" from now")
