"""The pauses in the admin: what isn't called for a while, why, and a way to resume it."""

import logging

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse

from conversations.models import Pause
from runtime import clock
from tenants.access import is_installation_admin
from tenants.scoped_admin import SuperuserAdmin

from .queue import lift

logger = logging.getLogger(__name__)


@admin.register(Pause)
class PauseAdmin(SuperuserAdmin):
    read_only = True
    change_form_template = "conversations/pause_change_form.html"
    nothing_yet = "When WhatsApp or a model refuses or slows us down, what isn't called for a while is listed here."
    list_display = ["what", "why", "since", "ends"]
    fields = ["what", "why", "error_code", "since", "ends"]
    readonly_fields = ["what", "why", "ends"]
    search_fields = ["scope", "reason"]
    ordering = ["-since"]

    @admin.display(description="paused", ordering="scope")
    def what(self, pause: Pause) -> str:
        return pause.what

    @admin.display(description="reason", ordering="reason")
    def why(self, pause: Pause) -> str:
        return pause.why

    @admin.display(description="until", ordering="until")
    def ends(self, pause: Pause) -> str:
        return clock.shown(pause.until) if pause.until else "it's resumed, or the token or key changes"

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.resume_view)
        return [path("<int:pk>/resume/", page, name="conversations_pause_resume"), *super().get_urls()]

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks for confirmation; a POST ends the pause."""
        if not is_installation_admin(request.user):
            raise PermissionDenied
        pause: Pause = get_object_or_404(Pause, pk=pk)
        if request.method == "POST":
            lift(pause)
            logger.info("%s resumed %s, paused for: %s", request.user, pause.scope, pause.reason)
            messages.success(request, f"Resumed: {pause.what}.")
            return redirect("admin:conversations_pause_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Resume: {pause.what}?",
            "pause": pause,
            "back": reverse("admin:conversations_pause_change", args=[pk]),
        }
        return render(request, "conversations/resume.html", context)
