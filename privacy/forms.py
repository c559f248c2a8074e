"""Forms that say what they would delete, and only do it once that's confirmed."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from tenants.secret_fields import SecretsForm

from . import people, retention
from .models import Erasure, Export, RetentionPolicy


class ConfirmedForm(SecretsForm):
    """A form with a box that has to be ticked before anything is deleted."""

    confirmed = forms.BooleanField(
        required=False,
        label="Delete it",
        help_text="Save once without it to see what would be deleted. It can't be undone.",
        widget=UnfoldBooleanSwitchWidget,
    )

    def require_confirmation(self, what: str) -> None:
        if not self.cleaned_data.get("confirmed"):
            self.add_error("confirmed", f"{what} It can't be undone. To go ahead, switch this on and save again.")


class PersonForm(SecretsForm):
    """A form with the field `person`. Valid, it has them as `found`; None if the field is empty."""

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        tenant, typed = found.get("tenant"), found.get("person", "")
        person = people.find(tenant, typed) if tenant and typed else None
        if tenant and typed and person is None:
            self.add_error("person", f"{tenant} has no conversation with {typed}.")
        return {**found, "found": person}


class ErasureForm(PersonForm, ConfirmedForm):
    person = forms.CharField(
        label="Phone number or WhatsApp user ID",
        help_text="As shown next to the conversation.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = Erasure
        fields = ["tenant"]

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        if found["found"]:
            self.require_confirmation(f"This erases {found['found'].summary()}, and their lead.")
        return found


class ExportForm(PersonForm):
    person = forms.CharField(
        required=False,
        label="Phone number or WhatsApp user ID",
        help_text="Whose data you want, as shown next to the conversation. Leave it empty for everything.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = Export
        fields = ["tenant"]


class RetentionForm(ConfirmedForm):
    class Meta:
        model = RetentionPolicy
        fields = ["tenant", "messages_days", "files_days", "quarantine_days"]

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("tenant") and not self.errors:
            days = {name: found.get(name) for name in ("messages_days", "files_days", "quarantine_days")}
            if counts := retention.due(RetentionPolicy(tenant=found["tenant"], **days)):
                what = ", ".join(f"{count:,} {name}" for name, count in counts.items())
                self.require_confirmation(f"This deletes {what} within the next hours, and others as they get older.")
        return found
