"""On the assistant's page: whether its model endpoint is paused, and a button to resume it."""

import logging

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse

from conversations.outbox.pauses import Pause, active_pause
from tenants.access import is_installation_admin
from tenants.scoped_admin import TenantScopedAdmin

from .model import retries
from .models import Assistant
from .turns import resuming

logger = logging.getLogger(__name__)


class ResumeViews(TenantScopedAdmin):
    """A mixin for the assistant admin, which decides who has access."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.resume_view)
        return [path("<int:pk>/resume/", page, name="assistant_resume"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        assistant = self.get_object(request, object_id)
        shown = {"pause": _pause_of(assistant), "may_resume": self._may_resume(request, assistant)} if assistant else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks for confirmation; a POST ends the pause, and the customers who wrote in the meantime are answered."""
        assistant: Assistant = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self._may_resume(request, assistant):
            raise PermissionDenied
        pause, back = _pause_of(assistant), reverse("admin:assistant_assistant_change", args=[pk])
        if pause is None:
            messages.info(request, "The model endpoint isn't paused.")
            return redirect(back)
        if request.method == "POST":
            resuming.resume(assistant)
            logger.info("%s resumed %s, paused for: %s", request.user, pause.scope, pause.reason)
            messages.success(request, "Resumed. Customers who are still waiting will be answered now.")
            return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Resume the model endpoint?",
            "pause": pause,
            "back": back,
        }
        return render(request, "conversations/resume.html", context)

    def save_model(self, request: HttpRequest, obj: Assistant, form: "ModelForm[Assistant]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        if {"api_key", "base_url"} & set(form.changed_data):
            transaction.on_commit(resuming.answer_waiting)  # the pause was for the other key or endpoint

    def _may_resume(self, request: HttpRequest, assistant: Assistant) -> bool:
        """The pause of the installation's key applies to all businesses that use it."""
        is_own = bool(assistant.api_key) or is_installation_admin(request.user)
        return is_own and self.has_change_permission(request, assistant)


def _pause_of(assistant: Assistant) -> Pause | None:
    return active_pause([retries.scope(assistant)], assistant.key.strip())
