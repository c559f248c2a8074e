"""The pauses in the admin: what isn't called for a while, why, and a way to resume it."""

import logging

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse

from conversations.models import Pause
from tenants.access import is_installation_admin
from tenants.scoped_admin import SuperuserAdmin

from .queue import lift

logger = logging.getLogger(__name__)


@admin.register(Pause)
class PauseAdmin(SuperuserAdmin):
    read_only = True
    change_form_template = "conversations/pause_change_form.html"
    list_display = ["scope", "reason", "error_code", "since", "until", "step"]
    search_fields = ["scope", "reason"]
    ordering = ["-since"]
    exclude = ["credential"]

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
            messages.success(request, f"Resumed {pause.scope}.")
            return redirect("admin:conversations_pause_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Resume {pause.scope}?",
            "pause": pause,
            "back": reverse("admin:conversations_pause_change", args=[pk]),
        }
        return render(request, "conversations/resume.html", context)
