"""The pages of a password reset. What they answer doesn't reveal whether an address has an account."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordResetConfirmView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from unfold.widgets import BASE_INPUT_CLASSES

from audit.acting import acting
from runtime import jobs
from tenants.invitations.forms import FirstPasswordForm
from tenants.models import normalized
from tenants.users import actor_of

from .resetting import EMAIL_TASK


class AddressForm(forms.Form):
    email = forms.EmailField(
        label="Email address",
        max_length=254,
        widget=forms.EmailInput({"class": " ".join(BASE_INPUT_CLASSES), "autocomplete": "email"}),
    )


def ask(request: HttpRequest) -> HttpResponse:
    """Where to send the link."""
    form = AddressForm(request.POST or None)
    if settings.EMAIL_URL and form.is_valid():
        # In a job, so that the answer takes as long for any address.
        jobs.defer(EMAIL_TASK, {"address": normalized(form.cleaned_data["email"])})
        messages.success(request, "If an account has this address, we're sending it a link.")
        return redirect("admin:login")
    context = {**admin.site.each_context(request), "form": form, "has_email": bool(settings.EMAIL_URL)}
    return render(request, "tenants/password_reset.html", context)


class Confirm(PasswordResetConfirmView):
    """Behind the link: a new password."""

    form_class = FirstPasswordForm
    template_name = "tenants/new_password.html"
    success_url = reverse_lazy("admin:login")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        messages.success(self.request, "Your new password is set. Log in with it.")
        with acting(lambda: actor_of(self.request, form.user)), transaction.atomic():
            return super().form_valid(form)
