"""The page "Try it": one question to the configured model, without touching any conversation."""

from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from .files import images
from .model import client as model_client
from .models import Assistant

if TYPE_CHECKING:
    from tenants.scoped_admin import TenantScopedAdmin

    Base = TenantScopedAdmin
else:
    Base = object

LONGEST_QUESTION = 4096
LOOK = "Which colour is this picture? Answer with the one English word for it."


class Trial(Base):
    """Mixed into the admin of the assistants, which says who may."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.try_view)
        return [path("<int:pk>/try/", page, name="assistant_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        assistant = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, assistant):
            raise PermissionDenied
        question = request.POST.get("question", "").strip()[:LONGEST_QUESTION]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Try {str(assistant)[0].lower()}{str(assistant)[1:]}",
            "assistant": assistant,
            "question": question,
            **(probe(assistant) if "probe" in request.POST else ask(assistant, question) if question else {}),
        }
        return render(request, "assistant/try.html", context)


def ask(assistant: Assistant, question: object) -> dict[str, Any]:
    """The model's `answer`, or the `failure` in words."""
    try:
        messages = [{"role": "user", "content": question}]
        return {"answer": async_to_sync(model_client.chat_with_gpt)(messages, assistant)}
    except model_client.ModelFailed as failure:
        return {"failure": failure}


def probe(assistant: Assistant) -> dict[str, Any]:
    """Whether the model can see: `sees`, beside what `ask` gives."""
    found = ask(assistant, [{"type": "text", "text": LOOK}, images.as_part(images.square("red"))])
    return {**found, "probed": True, "sees": "answer" in found and "red" in found["answer"].text.lower()}
