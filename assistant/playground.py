"""The page "Test prompt": sends one prompt to the configured model, without a conversation."""

from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from tenants.scoped_admin import TenantScopedAdmin

from .files import images
from .model import client as model_client
from .model.errors import Completion, ModelFailed
from .models import Assistant
from .turns import policy, resuming

MAX_LENGTH = 4096
IMAGE_QUESTION = "What color is this image? Answer with one English word."


@dataclass(frozen=True, slots=True)
class Result:
    """The model's answer, or why there is none."""

    answer: Completion | None = None
    failure: str = ""


class PromptTestViews(TenantScopedAdmin):
    """A mixin for the assistant admin, which decides who has access."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.test_prompt_view)
        return [path("<int:pk>/test-prompt/", page, name="assistant_test_prompt"), *super().get_urls()]

    def test_prompt_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        assistant: Assistant = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, assistant):
            raise PermissionDenied
        question = request.POST.get("question", "").strip()[:MAX_LENGTH]
        is_image_test = "test_image" in request.POST
        result = Result()
        if is_image_test:
            image = images.as_part(images.square("red"))
            result = ask(assistant, [{"type": "text", "text": IMAGE_QUESTION}, image])
        elif question:
            result = ask(assistant, question)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Test prompt",
            "assistant": assistant,
            "question": question,
            "result": result,
            "is_image_test": is_image_test,
            "sees_image": result.answer is not None and "red" in result.answer.text.lower(),
        }
        return render(request, "assistant/test_prompt.html", context)


def ask(assistant: Assistant, question: object) -> Result:
    if policy.is_over_budget(assistant, policy.tokens_today(assistant.tenant_id)):
        return Result(failure="The daily token limit has been reached.")
    try:
        answer = async_to_sync(model_client.chat_with_gpt)([{"role": "user", "content": question}], assistant)
    except ModelFailed as failure:
        policy.add_tokens(assistant.tenant_id, failure.billed.tokens if failure.billed else 0)
        return Result(failure=failure.detail)
    policy.add_tokens(assistant.tenant_id, answer.tokens)
    resuming.resume(assistant)  # it works
    return Result(answer)
