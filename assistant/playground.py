"""The page "Test prompt": asks the configured model, without a conversation, and tests what its endpoint accepts."""

from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from tenants.scoped_admin import TenantScopedAdmin

from .examination import Examination, Finding
from .limits import LONGEST_INSTRUCTIONS
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
        saved = assistant.instructions
        assistant.instructions = request.POST.get("instructions", saved).replace("\r\n", "\n")
        result, findings, problem = Result(), list[Finding](), problem_of(assistant)
        if "save" in request.POST and not problem:
            assistant.save(update_fields=["instructions"])
            self.log_change(request, assistant, "Changed instructions.")
            saved = assistant.instructions
            messages.success(request, "The instructions are saved.")
        elif "test_endpoint" in request.POST:
            findings = examine(assistant)
        elif question and not problem:
            result = ask(assistant, question)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Test prompt",
            "assistant": assistant,
            "question": question,
            "result": result,
            "findings": findings,
            "problem": problem,
            "is_unsaved": assistant.instructions.replace("\r\n", "\n") != saved.replace("\r\n", "\n"),
            "limit": LONGEST_INSTRUCTIONS,
        }
        return render(request, "assistant/test_prompt.html", context)


def problem_of(assistant: Assistant) -> str:
    try:
        assistant.clean_fields(exclude=[field.name for field in Assistant._meta.fields if field.name != "instructions"])
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


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
