"""The form of a source. Its fields depend on the kind."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.files.base import File
from unfold.widgets import UnfoldAdminSelectWidget

from runtime.untrusted_json import one_line
from tenants.models import Tenant

from . import indexing
from .models import LONGEST_TITLE, WRITTEN_HERE, Source
from .sources import checked_text, checked_url

KIND = Source.Kind
SETTINGS = ["public_url", "enabled", "expires_at"]
FIELDS = {
    KIND.QUESTION: ["title", "text", *SETTINGS],
    KIND.TEXT: ["title", "text", *SETTINGS],
    KIND.FILE: ["title", *SETTINGS],
    KIND.PAGE: ["url", "title", "repeat_days", "enabled", "expires_at"],
    KIND.SITEMAP: ["url", "repeat_days", "enabled", "expires_at"],
}
LABELS = {KIND.QUESTION: {"title": "Question", "text": "Answer"}}
HELP = {
    KIND.QUESTION: {"title": "Phrase it as a customer would.", "text": "Write it so that it makes sense on its own."},
    KIND.TEXT: {"title": "What the text is about.", "text": "Start a line with # to make it a heading."},
    KIND.PAGE: {
        "url": "Must be public. Only its text is read, not its images.",
        "title": "Leave empty to use the page's own title.",
    },
    KIND.SITEMAP: {
        "url": "A sitemap lists the pages of a website, often at /sitemap.xml. All of these pages are read."
    },
}
REPEATS = {0: "Only manually", 1: "Every day", 7: "Every week", 14: "Every two weeks", 30: "Every 30 days"}


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more uploaded files."""

    widget = FilesInput(attrs={"accept": ".pdf,.docx,.xlsx,.csv,.tsv,.txt,.md,.html,.htm", "id": "knowledge-files"})

    def clean(self, data: Any, initial: Any = None) -> Any:
        uploads = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(each, initial) for each in uploads or [None]]


class SourceForm(forms.ModelForm[Source]):
    """`for_kind` makes the form of a kind."""

    kind: str

    def clean_title(self) -> str:
        title = one_line(self.cleaned_data["title"], LONGEST_TITLE)
        if self.kind in WRITTEN_HERE and not title:
            raise forms.ValidationError("This field is required.")
        return title

    def clean_text(self) -> str:
        return checked_text(self.kind, self.cleaned_data["text"])

    def clean_url(self) -> str:
        return checked_url(self.cleaned_data["url"])

    def clean_files(self) -> "Sequence[File[bytes]]":
        uploads = cast("Sequence[File[bytes]]", self.cleaned_data["files"])
        for upload in uploads:
            if (upload.size or 0) > settings.KNOWLEDGE_LARGEST_MB << 20:
                raise forms.ValidationError(
                    f"{upload.name} is larger than {settings.KNOWLEDGE_LARGEST_MB} MB. Split it into several files."
                )
        return uploads

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        self.instance.kind = self.kind
        tenant = data.get("tenant") or (self.instance.tenant if self.instance.pk else None)
        if tenant and not self.errors:
            self._check_room(tenant, data)
            known = Source.objects.filter(tenant=tenant, parent=None, kind=self.kind, url=data.get("url", ""))
            if data.get("url") and not self.instance.parent_id and known.exclude(pk=self.instance.pk).exists():
                self.add_error("url", "This URL is already in the list. Open it there to read it again.")
        return data

    def _check_room(self, tenant: Tenant, data: dict[str, Any]) -> None:
        if self.kind in WRITTEN_HERE:
            unsaved = Source(pk=self.instance.pk, tenant=tenant, kind=self.kind)
            try:
                indexing.check_room(unsaved, len(indexing.pieces(unsaved.kind, data["text"])))
            except indexing.TooMuch as error:
                self.add_error("text", str(error))


def for_kind(kind: str, is_new: bool) -> type[SourceForm]:
    """A form class, without the fields of the model: an admin adds them."""
    fields: dict[str, Any] = {"kind": kind}
    if kind == KIND.FILE and is_new:
        fields["files"] = FilesField(
            label="Files",
            help_text=f"PDF, DOCX, XLSX, CSV, HTML, Markdown or text, up to {settings.KNOWLEDGE_LARGEST_MB} MB each. "
            "You can choose several.",
        )
    if "repeat_days" in FIELDS[KIND(kind)]:
        fields["repeat_days"] = forms.TypedChoiceField(
            coerce=int, choices=list(REPEATS.items()), initial=0, label="Read again", widget=UnfoldAdminSelectWidget
        )
    return type("SourceForm", (SourceForm,), fields)
