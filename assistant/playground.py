"""The page "Test prompt": asks the configured model, without a conversation, and tests what its endpoint accepts."""

from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from tenants.scoped_admin import TenantScopedAdmin

from .examination import Examination, Finding
from .model.errors import Completion, ModelFailed
from .model.learning import Endpoint
from .models import Assistant, Dialect
from .turns import policy, resuming

MAX_LENGTH = 4096
OVER_BUDGET = "The daily token limit has been reached."


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
        result, findings = Result(), list[Finding]()
        if "test_endpoint" in request.POST:
            findings = examine(assistant)
        elif question:
            result = ask(assistant, question)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Test prompt",
            "assistant": assistant,
            "question": question,
            "result": result,
            "findings": findings,
        }
        return render(request, "assistant/test_prompt.html", context)


def ask(assistant: Assistant, question: str) -> Result:
    if policy.is_over_budget(assistant, policy.tokens_today(assistant.tenant_id)):
        return Result(failure=OVER_BUDGET)
    endpoint = Endpoint(Dialect.of(assistant.tenant_id, assistant.endpoint, assistant.model_name))
    try:
        answer = async_to_sync(endpoint.ask)([{"role": "user", "content": question}], assistant)
    except ModelFailed as failure:
        policy.add_tokens(assistant.tenant_id, failure.billed.tokens if failure.billed else 0)
        return Result(failure=failure.detail)
    policy.add_tokens(assistant.tenant_id, answer.tokens)
    resuming.resume(assistant)  # it works
    return Result(answer)


def examine(assistant: Assistant) -> list[Finding]:
    """Ask the endpoint a few questions, and remember what it accepts."""
    if policy.is_over_budget(assistant, policy.tokens_today(assistant.tenant_id)):
        return [Finding(False, OVER_BUDGET)]
    examination = Examination(assistant, Dialect.of(None, assistant.endpoint, assistant.model_name))
    async_to_sync(examination.run)()
    policy.add_tokens(assistant.tenant_id, examination.tokens)
    if examination.has_answered:
        found = examination.dialect
        features = {name: getattr(found, name) for name in Dialect.FEATURES}
        Dialect.of(assistant.tenant_id, assistant.endpoint, assistant.model_name).save_features(**features, reason="")
        resuming.resume(assistant)  # it works
    return examination.findings
