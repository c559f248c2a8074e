"""The inbox as a page, and the parts of it that change: what a browser gets, and what desk.js gets."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from audit.recording import record_reading
from conversations import notifying
from conversations.models import Conversation, ConversationMessage
from conversations.replies import WINDOW_CLOSED, reply_blocker
from notifications import shown
from runtime.row_security.scope import Scope
from runtime.untrusted_json import as_id
from tenants.access import scope_of
from tenants.scoped_admin import TenantScopedAdmin
from tenants.users import user_of

from . import extensions, form_tokens, polling, preferences, time_zone, transcript, version
from .inbox import OF_THE_PAGE, Tab, tab_of, tabs
from .shared import Shared
from .version import NOTHING_TOLD, Version

Context = dict[str, Any]
_lists: Shared[dict[str, str]] = Shared(200)


class InboxPages(TenantScopedAdmin):
    """A mixin for the conversation admin, which decides who has access."""

    def readable(self, request: HttpRequest, pk: int) -> Conversation:
        found: Conversation = get_object_or_404(self.get_queryset(request), pk=pk)
        return found

    def writable(self, request: HttpRequest, pk: int) -> Conversation:
        conversation = self.readable(request, pk)
        if not self.has_change_permission(request, conversation):
            raise PermissionDenied
        return conversation

    # --- pages ---

    def inbox_page(self, request: HttpRequest, conversation: Conversation | None) -> HttpResponse:
        """The list, with the open conversation next to it."""
        if not self.has_view_permission(request, conversation):
            raise PermissionDenied
        if conversation:
            record_reading(conversation.tenant_id, conversation)
        if conversation and self.has_change_permission(request, conversation) and "before" not in request.GET:
            mark_seen(conversation)
            notifying.opened([conversation.pk])
        seen = version.current(scope_of(user_of(request)), user_of(request).pk)
        try:
            inbox = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Conversations",
            "media": self.media,
            "cl": inbox,
            "may_bulk": self.has_change_permission(request),
            "query": _query(request),
            "term": _term(request),
            "tabs": tabs(request),
            "banners": extensions.banners_for(request),
            "told": json.dumps(page_state(user_of(request), seen)),
        }
        if conversation:
            context |= self._pane(request, conversation)
            seen = replace(seen, open="", since=_since(context["page"]))
        return TemplateResponse(request, "conversations/inbox.html", {**context, "version": seen.etag})

    def transcript_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Older messages: a part of the transcript."""
        conversation = self.readable(request, pk)
        record_reading(conversation.tenant_id, conversation)
        before = request.GET.get("before", "")
        page = transcript.older(conversation, as_id(before) or 0)
        context = {"conversation": conversation, "page": page, "query": _query(request), "term": _term(request)}
        context["may_write"] = self.has_change_permission(request, conversation)
        return render(request, "conversations/older.html", context)

    # --- what changed ---

    def live_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """The parts of the page that have changed since the version in `If-None-Match`. Polled by every open page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        scope = scope_of(user_of(request))
        known = Version.parse(request.headers.get("If-None-Match", ""))
        polling.remember(request, scope)
        now = version.current(scope, user_of(request).pk, pk, known.since)
        if now == known and (known.since or pk is None):
            return HttpResponseNotModified()
        with timezone.override(time_zone.zone_of(user_of(request))):
            return self._changes(request, pk, known, now)

    def _changes(
        self, request: HttpRequest, pk: int | None, known: Version, now: Version, **more: object
    ) -> HttpResponse:
        """JSON with the HTML of the changed parts, by element ID.

        now: from before the parts are read, so that what changes in the meantime is found by the next poll.
        """
        scope = scope_of(user_of(request))
        parts: dict[str, str] = {}
        title = "Conversations"
        if pk and (now.open != known.open or not known.since):
            conversation = self.readable(request, pk)
            title = str(conversation)
            record_reading(conversation.tenant_id, conversation)
            if self.has_change_permission(request, conversation):
                mark_seen(conversation)
                if not known.since:
                    notifying.opened([conversation.pk])
                elif "X-Focused" in request.headers:
                    notifying.seen(conversation.pk)
            if known.since:
                page = transcript.since(conversation, int(known.since))
                live = {**self._head(request, conversation), "page": page, "query": _query(request)}
                for part, template in (("desk-head", "head"), ("newest", "newest"), ("composer", "composer")):
                    parts[part] = render_to_string(f"conversations/{template}.html", live, request)
            else:
                pane = {**self._pane(request, conversation), "query": _query(request)}
                parts["pane"] = render_to_string("conversations/pane.html", pane, request)
                now = replace(now, open="", since=_since(pane["page"]))
        if now.inbox != known.inbox:
            parts["inbox-causes"] = extensions.banners_for(request)
            try:
                parts |= self._list(request, scope, now)
            except IncorrectLookupParameters:
                return HttpResponse(status=400)
        if now.told != known.told:
            more["told"] = page_state(user_of(request), now)
        return JsonResponse({"version": now.etag, "parts": parts, "title": f"{title} | Parley", **more})

    def _list(self, request: HttpRequest, scope: Scope, now: Version) -> dict[str, str]:
        """The parts of the list. Its rows are rendered once for all desks that show the same."""
        may_bulk, query, tab = self.has_change_permission(request), _query(request), tab_of(request)
        whose = user_of(request).pk if tab == Tab.MINE else None

        def render_list() -> dict[str, str]:
            context = {"cl": self.get_changelist_instance(request), "query": query, "may_bulk": may_bulk}
            context["term"] = _term(request)
            return {
                f"inbox-{part}": render_to_string(f"conversations/inbox_{part}.html", context, request)
                for part in ("rows", "foot")
            }

        key = (scope, may_bulk, query, whose, now.inbox, timezone.get_current_timezone_name())
        parts = _lists.get(key, render_list)
        if not parts["inbox-rows"].strip():
            parts = render_list()  # what to do first depends on who asks
        return {**parts, "inbox-tabs": render_to_string("conversations/inbox_tabs.html", {"tabs": tabs(request)})}

    def _head(self, request: HttpRequest, conversation: Conversation) -> Context:
        blocker = reply_blocker(conversation, user_of(request))
        return {
            "conversation": conversation,
            "term": _term(request),
            "may_write": self.has_change_permission(request, conversation),
            "reply_blocker": blocker,
            "form_token": form_tokens.new(),
            "enter_sends": preferences.enter_sends(user_of(request).pk),
            "more_to_send": [
                (reverse(f"admin:conversations_{name}", args=[conversation.pk]), label)
                for name, (label, _, needs_window) in extensions.pages.items()
                if not blocker or (blocker == WINDOW_CLOSED and not needs_window)
            ],
            **header_context(conversation),
        }

    def _pane(self, request: HttpRequest, conversation: Conversation) -> Context:
        before = request.GET.get("before", "")
        before_id = as_id(before)
        page = transcript.older(conversation, before_id) if before_id is not None else transcript.newest(conversation)
        panels = [html for panel in extensions.panels if (html := panel(conversation))]
        links = [link for links in extensions.links for link in links(request, conversation)]
        pane = {"page": page, "is_newest": not before, "panels": panels, "links": links}
        return {**self._head(request, conversation), **pane}

    def respond(self, request: HttpRequest, conversation: Conversation | None, **more: object) -> HttpResponse:
        """After a button: back to the page, or what it changed."""
        if "application/json" not in request.headers.get("Accept", ""):
            inbox = reverse("admin:conversations_conversation_changelist") + _query(request)
            return HttpResponseRedirect(page_url(conversation, request) if conversation else inbox)
        notices = [{"level": each.level_tag, "text": str(each)} for each in messages.get_messages(request)]
        known, pk = Version.parse(request.POST.get("version", "")), conversation.pk if conversation else None
        now = version.current(scope_of(user_of(request)), user_of(request).pk, pk, known.since)
        return self._changes(request, pk, known, now, notices=notices, **more)


def page_state(user: User, now: Version) -> Mapping[str, object]:
    """The user's notifications, for the page. They count as shown from now on."""
    return shown.state_of(user) if now.told != NOTHING_TOLD else shown.NOTHING


def page_url(conversation: Conversation, request: HttpRequest) -> str:
    """The conversation's URL, in the inbox from which the request came."""
    return reverse("admin:conversations_conversation_change", args=[conversation.pk]) + _query(request)


def mark_seen(conversation: Conversation) -> None:
    """Someone who can reply sees the newest messages: they are no longer unread."""
    said = ConversationMessage.objects.filter(conversation=OuterRef("pk")).order_by("-created_at", "-id")
    rows = Conversation.objects.filter(pk=conversation.pk).annotate(newest=Subquery(said.values("created_at")[:1]))
    rows.filter(Q(seen_at__isnull=True) | Q(seen_at__lt=F("newest"))).update(
        seen_at=Subquery(said.values("created_at")[:1])
    )


def header_context(conversation: Conversation) -> dict[str, str]:
    lines = filter(None, (status_line(conversation) for status_line in extensions.status_lines))
    return {"window_left": window_left(conversation), "status_line": " · ".join(lines)}


def window_left(conversation: Conversation) -> str:
    """For how long free-form replies are still possible; "" when the window is closed."""
    if not conversation.window_is_open() or conversation.window_closes_at is None:
        return ""
    return str(naturaltime(conversation.window_closes_at)).removesuffix(" from now")


def _query(request: HttpRequest) -> str:
    """The query string of the inbox, which every URL of it keeps."""
    kept = request.GET.copy()
    for name in OF_THE_PAGE:
        kept.pop(name, None)
    return f"?{kept.urlencode()}" if kept else ""


def _term(request: HttpRequest) -> str:
    """What was searched for, which is marked wherever it's shown."""
    return request.GET.get("q", "").strip()


def _since(page: transcript.Page) -> str:
    return str(page.first_id or 0)
