"""The pages on which a superuser suspends a business and resumes it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from unfold.widgets import UnfoldAdminTextareaWidget

from tenants.access import is_installation_admin
from tenants.models import LONGEST_NOTE, Tenant
from tenants.scoped_admin import TenantScopedAdmin
from tenants.users import user_of

from . import state


class NoteForm(forms.Form):
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=LONGEST_NOTE,
        help_text="Shown to its members. For example, whom to ask.",
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )


class SuspensionPages(TenantScopedAdmin):
    """A mixin for the admin of businesses. These pages are for superusers only, unlike the business's own."""

    def get_urls(self) -> list[URLPattern]:
        views = (("suspend", self.suspend_view), ("resume", self.resume_view))
        urls = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"tenants_{name}") for name, view in views
        ]
        return [*urls, *super().get_urls()]

    def suspend_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks for confirmation; a POST suspends it."""
        tenant = self._changeable(request, pk)
        form = NoteForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            if state.suspend(tenant, user_of(request), form.cleaned_data["note"].strip()):
                self.log_change(request, tenant, "Suspended.")
                messages.success(request, f"{tenant} is suspended.")
            return redirect("admin:tenants_tenant_change", pk)
        return self._page(request, f"Suspend {tenant}?", tenant, form=form)

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks for confirmation; a POST resumes it."""
        tenant = self._changeable(request, pk)
        if request.method == "POST":
            if state.resume(tenant):
                self.log_change(request, tenant, "Resumed.")
                messages.success(
                    request, f"{tenant} is active again. Customers who are still waiting are being answered."
                )
            return redirect("admin:tenants_tenant_change", pk)
        return self._page(request, f"Resume {tenant}?", tenant)

    def _changeable(self, request: HttpRequest, pk: int) -> Tenant:
        tenant: Tenant = get_object_or_404(self.get_queryset(request), pk=pk)
        if not is_installation_admin(request.user):
            raise PermissionDenied
        return tenant

    def _page(self, request: HttpRequest, title: str, tenant: Tenant, **more: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, "tenant": tenant, **more}
        return render(request, "tenants/suspension.html", context)
