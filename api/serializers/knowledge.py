"""What the assistant knows, as API clients see it."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from rest_framework import serializers

from knowledge.models import LONGEST_TITLE, WRITTEN_HERE, Chunk, Source
from knowledge.sources import checked_link, checked_text, checked_url
from runtime.untrusted_json import one_line

LISTED = [
    "id",
    "kind",
    "title",
    "url",
    "public_url",
    "filename",
    "parent",
    "enabled",
    "expires_at",
    "repeat_days",
    "state",
    "progress",
    "error",
    "changed_at",
    "read_at",
    "created_at",
    "updated_at",
]
WRITTEN = ["kind", "title", "text", "url", "public_url", "enabled", "expires_at", "repeat_days"]


class ListedSourceSerializer(serializers.ModelSerializer[Source]):
    public_url = serializers.CharField(read_only=True, help_text="Empty if there's no public page.")

    class Meta:
        model: type[Model] = Source
        fields = LISTED
        read_only_fields = fields


class SourceSerializer(serializers.ModelSerializer[Source]):
    """A source as it's read, created and changed."""

    public_url = serializers.CharField(
        required=False, allow_blank=True, max_length=2000, help_text="Empty if there's no public page."
    )

    class Meta:
        model: type[Model] = Source
        fields = [*LISTED, "text", "changes"]
        read_only_fields = [name for name in fields if name not in WRITTEN]
        extra_kwargs = {
            "kind": {"help_text": "Can't be changed."},
            "title": {
                "help_text": "For a question, the question itself. For a page, leave it empty to use its own title."
            },
            "text": {"help_text": "For a question, the answer. Read-only for files, pages and sitemaps."},
            "url": {"help_text": "The URL of a page or sitemap. If you change it, the source is read again."},
        }

    def validate_public_url(self, url: str) -> str:
        return checked_link(url)

    def validate_kind(self, kind: str) -> str:
        if self.instance and kind != self.instance.kind:
            raise serializers.ValidationError("The kind of a source can't be changed.")
        if kind == Source.Kind.FILE and not self.instance:
            raise serializers.ValidationError("Upload files to /api/knowledge/files.")
        return kind

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        source = self.instance or Source(kind=attrs["kind"])
        if "title" in attrs:
            attrs["title"] = one_line(attrs["title"], LONGEST_TITLE)
        if source.kind in WRITTEN_HERE:
            self._require(attrs, "title", "text")
            if "text" in attrs:
                attrs["text"] = _checked("text", lambda: checked_text(source.kind, attrs["text"]))
        elif "text" in attrs:
            raise serializers.ValidationError({"text": ["You can only set the text of questions and texts."]})
        if source.kind in (Source.Kind.PAGE, Source.Kind.SITEMAP) and not source.parent_id:
            self._require(attrs, "url")
            if "url" in attrs:
                attrs["url"] = _checked("url", lambda: checked_url(attrs["url"]))
        elif attrs.get("url", source.url) != source.url:
            raise serializers.ValidationError({"url": ["The URL of this source can't be changed."]})
        return attrs

    def _require(self, attrs: dict[str, Any], *names: str) -> None:
        missing = [name for name in names if not attrs.get(name, "" if self.instance is None else "kept")]
        if missing:
            raise serializers.ValidationError({name: ["This field is required."] for name in missing})

    def applied(self, tenant_id: int) -> Source:
        """The source with the changes. Not stored yet."""
        source = self.instance or Source(tenant_id=tenant_id)
        for name, value in self.validated_data.items():
            setattr(source, name, value)
        return source


class NewFileSourceSerializer(serializers.Serializer[None]):
    file = serializers.FileField(help_text="A PDF, DOCX, XLSX, CSV, HTML, Markdown or text file.")
    title = serializers.CharField(
        required=False, max_length=LONGEST_TITLE, help_text="Defaults to the file name without its extension."
    )
    public_url = serializers.URLField(required=False, max_length=2000)


class ChunkSerializer(serializers.ModelSerializer[Chunk]):
    class Meta:
        model: type[Model] = Chunk
        fields = ["position", "heading", "text", "tokens"]
        read_only_fields = fields


def _checked(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except ValidationError as error:
        raise serializers.ValidationError({name: error.messages}) from None
