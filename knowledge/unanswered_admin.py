"""The page "Unanswered questions": what customers asked and the assistant couldn't answer, in groups."""

from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from audit import watching
from runtime.untrusted_json import as_id
from tenants.access import NOBODY, OPERATORS
from tenants.scoped_admin import TenantScopedAdmin

from .models import Source
from .unanswered import MOST_SHOWN, Group, UnansweredQuestion, grouped, what_people_replied

ANSWERING = "unanswered"  # the parameter of the form for a new source: the IDs of the questions that it answers


class Row(NamedTuple):
    group: Group
    answer_url: str  # '' for those who may not add knowledge


@admin.register(UnansweredQuestion)
class UnansweredQuestionAdmin(TenantScopedAdmin):
    may_add = may_delete = NOBODY
    may_change = OPERATORS
    list_select_related = ["tenant", "conversation"]
    fields = ["tenant", "conversation", "text", "asked_at", "done_at"]
    readonly_fields = ["tenant", "conversation", "text", "asked_at", "done_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._dismiss(request)
        open_ones = self.get_queryset(request).filter(done_at=None).order_by("-pk")
        groups = grouped(open_ones[:MOST_SHOWN])
        may_answer = self.admin_site.get_model_admin(Source).has_add_permission(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Unanswered questions",
            "rows": [Row(group, answer_url(group) if may_answer else "") for group in groups],
            "may_change": self.has_change_permission(request),
            "is_of_many": len({group.questions[0].tenant_id for group in groups}) > 1,
        }
        return TemplateResponse(request, "knowledge/unanswered.html", context)

    def replied(self, request: HttpRequest) -> str:
        """What the team replied to the questions that a new source will answer."""
        asked = self.get_queryset(request).filter(pk__in=_ids(request.GET.get(ANSWERING, "")))
        return what_people_replied(asked.order_by("-pk"))

    def _dismiss(self, request: HttpRequest) -> HttpResponse:
        ids = _ids(request.POST.get("ids", ""))
        mine = self.changeable(request, self.get_queryset(request)).filter(pk__in=ids, done_at=None)
        if watching.update(mine, done_at=Now()):
            messages.success(request, "Dismissed.")
        return HttpResponseRedirect(request.path)


def answer_url(group: Group) -> str:
    """The form for a new question and answer."""
    newest = group.questions[0]
    given = {
        "kind": Source.Kind.QUESTION,
        "tenant": newest.tenant_id,
        "title": newest.text,
        ANSWERING: group.ids,
    }
    return f"{reverse('admin:knowledge_source_add')}?{urlencode(given)}"


def _ids(given: str) -> list[int]:
    return [pk for text in given.split(",") if (pk := as_id(text))][:MOST_SHOWN]


def mark_answered(request: HttpRequest, source: Source) -> None:
    """Remove the questions that this new source answers from the list."""
    if ids := _ids(request.GET.get(ANSWERING, "")):
        asked = UnansweredQuestion.objects.filter(tenant=source.tenant_id, pk__in=ids, done_at=None)
        asked.update(done_at=Now())  # a part of adding the source
