"""The page "What would it find?": what the assistant is shown of the knowledge for a question, as the model sees it."""

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from assistant.models import Assistant
from knowledge.models import Source
from runtime.untrusted_json import as_id
from tenants.access import ANYONE, for_user
from tenants.models import Tenant
from tenants.scoped_admin import TenantScopedAdmin

from .knowledge import consult

LONGEST = 500  # characters


class FindViews(TenantScopedAdmin):
    """A mixin for the assistant admin."""

    def get_urls(self) -> list[URLPattern]:
        return [path("find/", self.admin_site.admin_view(self.find_view), name="assistant_find"), *super().get_urls()]

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """?tenant=ID&q=question. Without a business, the first that the user belongs to."""
        if not self.admin_site.get_model_admin(Source).has_view_permission(request):
            raise PermissionDenied
        tenants = for_user(Tenant.objects.order_by("pk"), request.user, "pk", ANYONE)
        given = as_id(request.GET.get("tenant", ""))
        tenant = (tenants.filter(pk=given) if given else tenants).first()
        question = request.GET.get("q", "").strip()[:LONGEST]
        knowledge = None
        if tenant and question:
            assistant = Assistant.of(tenant.pk)
            knowledge = async_to_sync(consult)(assistant, question, "")
        context = {
            **self.admin_site.each_context(request),
            "opts": Source._meta,
            "title": "What would it find?",
            "tenant": tenant,
            "tenants": tenants if tenants[1:2] else [],
            "question": question,
            "knowledge": knowledge,
            "shown": knowledge.matches() if knowledge else "",
        }
        return TemplateResponse(request, "assistant/find.html", context)
