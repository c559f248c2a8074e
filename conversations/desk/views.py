"""The URLs and buttons of the inbox. Each button is a POST that leads back to the page, or says what it changed."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from conversations import handover
from conversations.files import uploads
from conversations.models import Conversation, ConversationMessage, DeskPreferences
from conversations.replies import ReplyRefused, reply
from runtime.untrusted_json import as_id
from tenants.users import user_of

from . import extensions, form_tokens, notes
from .extensions import PageView
from .pages import InboxPages
from .time_zone import PreferencesForm


class DeskViews(InboxPages):
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
            path("live/", wrap(self.live_view), name="conversations_live"),
            path("<int:pk>/live/", wrap(self.live_view), name="conversations_live_open"),
            path("mark-handled/", wrap(require_POST(self.mark_handled_view)), name="conversations_mark_handled"),
            path("preferences/", wrap(self.preferences_view), name="conversations_preferences"),
            path("<int:pk>/transcript/", wrap(self.transcript_view), name="conversations_transcript"),
            *(
                path(f"<int:pk>/{url}/", wrap(require_POST(view)), name=f"conversations_{name}")
                for url, view, name in posts
            ),
            *(
                path(f"<int:pk>/{name}/", wrap(partial(self.extension_view, view)), name=f"conversations_{name}")
                for name, (_, view, _) in extensions.pages.items()
            ),
            *super().get_urls(),
        ]

    def extension_view(self, view: PageView, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "conversation": conversation}
        context["form_token"] = form_tokens.new()
        return view(request, conversation, context)

    # --- buttons ---

    def take_over_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.take_over(conversation.pk, user_of(request))
        messages.success(
            request, "You've taken over this conversation. The assistant won't reply until you hand it back."
        )
        return self.respond(request, conversation)

    def hand_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.hand_back(conversation.pk)
        messages.success(request, "Handed back. The assistant will answer any open and future messages.")
        return self.respond(request, conversation)

    def clear_needs_person_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        handover.clear_needs_person([conversation.pk])
        return self.respond(request, conversation)

    def mark_handled_view(self, request: HttpRequest) -> HttpResponse:
        """Clear the flags of those selected conversations that the user may change."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        selected = [pk for text in request.POST.getlist("selected") if (pk := as_id(text))]
        rows = self.changeable(request, self.get_queryset(request)).filter(pk__in=selected)
        cleared = handover.clear_needs_person(rows.values_list("pk", flat=True))
        messages.success(request, f"Marked {cleared} conversation{'' if cleared == 1 else 's'} as handled.")
        return self.respond(request, None)

    def preferences_view(self, request: HttpRequest) -> HttpResponse:
        """The user's own settings, for everyone who may see the inbox."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        user = user_of(request)
        if "application/json" in request.headers.get("Accept", ""):  # the switch next to the reply
            enter_sends = request.POST.get("enter_sends") == "on"
            DeskPreferences.objects.update_or_create(pk=user.pk, defaults={"enter_sends": enter_sends})
            return self.respond(request, None)
        form = PreferencesForm(user, request.POST if request.method == "POST" else None)
        if form.is_valid():
            form.save()
            messages.success(request, "Your settings have been saved.")
            return redirect(request.path)
        context = {**self.admin_site.each_context(request), "title": "Your settings", "form": form}
        return render(request, "conversations/preferences.html", context)

    def reply_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self.writable(request, pk)
        text, file = _text_of(request), request.FILES.get("file")
        try:
            if file:
                with uploads.kept(file, text, file.content_type or "") as upload:
                    reply(conversation.pk, user_of(request), upload, form_token=form_tokens.of(request))
            else:
                reply(conversation.pk, user_of(request), text, form_token=form_tokens.of(request))
        except (ReplyRefused, ValueError) as error:
            messages.error(request, f"Not sent. {error}")
            return self.respond(request, conversation, form_token=form_tokens.new())
        return self.respond(request, conversation, sent=True, form_token=form_tokens.new())

    def note_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Notes can always be added, no matter who handles the conversation and whether the window is open."""
        conversation = self.writable(request, pk)
        text = _text_of(request)
        if text:
            notes.add(conversation.pk, user_of(request), text, form_tokens.of(request))
        else:
            messages.error(request, "Enter some text before saving the note.")
        return self.respond(request, conversation, sent=bool(text), form_token=form_tokens.new())

    def send_again_view(self, request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
        conversation, message = self._message(request, pk, message_id)
        if not handover.send_again(message.pk, user_of(request)):
            messages.warning(request, "Not sent again: the status of this message has changed.")
        return self.respond(request, conversation)

    def mark_delivered_view(self, request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
        conversation, message = self._message(request, pk, message_id)
        if not handover.mark_delivered(message.pk, user_of(request)):
            messages.warning(request, "The delivery of this message has already been confirmed.")
        return self.respond(request, conversation)

    def _message(self, request: HttpRequest, pk: int, message_id: int) -> tuple[Conversation, ConversationMessage]:
        conversation = self.writable(request, pk)
        return conversation, get_object_or_404(conversation.messages, pk=message_id)


def _text_of(request: HttpRequest) -> str:
    # Browsers send line breaks as CRLF.
    return request.POST.get("text", "").replace("\x00", "").replace("\r\n", "\n").strip()
