"""What the endpoint accepts, on the assistant's page. It's a row of its own, learned from refusals."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from tenants.scoped_admin import TenantScopedAdmin

from .models import Assistant, Dialect

PREFIX = "endpoint_"  # some features have the name of a setting of the assistant
NULLABLE = {"most_output_tokens", "prompt_cache_key"}
DESCRIPTION = (
    "Learned from the endpoint's refusals, for this base URL and model. Correct what's wrong, or find it out with "
    "“Test the endpoint” behind “Test these instructions”."
)


class EndpointFields(TenantScopedAdmin):
    """A mixin for the assistant admin."""

    def get_fieldsets(self, request: HttpRequest, obj: Assistant | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not self.has_change_permission(request, obj):
            return fieldsets
        fields = [*(f"{PREFIX}{name}" for name in Dialect.FEATURES), "last_refusal"]
        section = {"fields": fields, "classes": ["collapse"], "description": DESCRIPTION}
        return [*fieldsets, ("What the endpoint accepts", section)]

    def get_form(self, request: HttpRequest, obj: Assistant | None = None, change: bool = False, **kwargs: Any) -> Any:
        dialect = Dialect.of(obj.tenant_id, obj.endpoint, obj.model_name) if obj else Dialect()
        fields: dict[str, Any] = {}
        for name in Dialect.FEATURES:
            field: Any = self.formfield_for_dbfield(Dialect._meta.get_field(name), request)
            field.required, field.initial = False, getattr(dialect, name)
            fields[f"{PREFIX}{name}"] = field
        form = type("AssistantForm", (self.form,), fields)
        return super().get_form(request, obj, change, form=form, **kwargs)

    def save_model(self, request: HttpRequest, obj: Assistant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # Only what was corrected: the rest belongs to the previous model, if that was changed too.
        corrected = {
            name: form.cleaned_data[f"{PREFIX}{name}"]
            for name in Dialect.FEATURES
            if f"{PREFIX}{name}" in form.changed_data and f"{PREFIX}{name}" in form.data
        }
        corrected = {name: value for name, value in corrected.items() if value is not None or name in NULLABLE}
        if corrected:
            Dialect.of(obj.tenant_id, obj.endpoint, obj.model_name).save_features(**corrected)

    @admin.display(description="last refusal")
    def last_refusal(self, assistant: Assistant) -> str:
        return Dialect.of(assistant.tenant_id, assistant.endpoint, assistant.model_name).reason or "none"
