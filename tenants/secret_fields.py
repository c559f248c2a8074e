"""Secrets in the admin: form fields that never show one again, and the page that shows a new one once."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import INPUT_CLASSES

from .fields import EncryptedTextField


class _Remove:
    """The widget's value if "Remove" is checked."""

    def __str__(self) -> str:
        return ""


REMOVE = _Remove()


class SecretInput(forms.PasswordInput):
    """An input that is always shown empty. Leaving it empty keeps the stored value; a checkbox removes it."""

    template_name = "tenants/secret_input.html"
    is_set = False

    def __init__(self) -> None:
        super().__init__({"class": " ".join(INPUT_CLASSES), "autocomplete": "new-password"})

    def get_context(self, name: str, value: object, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, None, attrs), "is_set": self.is_set}

    def value_from_datadict(self, data: Mapping[str, str], files: object, name: str) -> str | _Remove:
        typed = (data.get(name) or "").strip()
        return REMOVE if not typed and data.get(f"{name}-remove") else typed

    def value_omitted_from_data(self, data: Mapping[str, str], files: object, name: str) -> bool:
        # Django keeps the stored value of a field that wasn't submitted. An empty input counts as not submitted.
        return not (data.get(name) or data.get(f"{name}-remove"))


class SecretField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "widget": SecretInput(), "required": False})

    def has_changed(self, initial: object, data: object) -> bool:
        return bool(data)


class SecretsForm(forms.ModelForm[Model]):
    """A model form whose secret inputs show whether a value is stored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field.widget, SecretInput):
                field.widget.is_set = bool(getattr(self.instance, name))
                self.initial.pop(name, None)


def secret_names(model: type[Model]) -> list[str]:
    """The names of a model's encrypted columns."""
    return [field.name for field in model._meta.fields if isinstance(field, EncryptedTextField)]


def new_secrets_page(
    request: HttpRequest, model: type[Model], title: str, secrets: Sequence[tuple[str, str]]
) -> TemplateResponse:
    """A page with new secrets, each below its text. Unlike a message after a redirect, it's in no cookie or table."""
    names = (model._meta.app_label, model._meta.model_name)
    context = {
        **admin.site.each_context(request),
        "title": title,
        "opts": model._meta,
        "secrets": secrets,
        "continue_url": reverse("admin:{}_{}_changelist".format(*names)),
    }
    return TemplateResponse(request, "tenants/new_secret.html", context)
