"""Pages by cursor: as fast at the end of a long list as at its beginning, whatever is added meanwhile."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

SIZE = 50
LARGEST = 200


class PageQuery(serializers.Serializer[Any]):
    """What every list takes. `next` and `previous` of an answer hold the whole address of the other pages."""

    cursor = serializers.CharField(required=False, help_text="From `next` or `previous`.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST, help_text=f"Default: {SIZE}.")


class OrderedQuery(PageQuery):
    order = serializers.ChoiceField(["newest", "oldest"], required=False, help_text="Which first; default: newest.")


class IdCursorPagination(CursorPagination):
    page_size = SIZE
    page_size_query_param = "limit"
    max_page_size = LARGEST
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError):  # a cursor that somebody made up
            raise NotFound(self.invalid_cursor_message) from None


class TimeCursorPagination(IdCursorPagination):
    """By a time and the id, the newest first or, with `order=oldest`, last."""

    by: ClassVar[str] = "created_at"

    def get_ordering(self, request: Request, queryset: "QuerySet[Any]", view: Any) -> tuple[str, ...]:
        sign = "" if request.query_params.get("order") == "oldest" else "-"
        return f"{sign}{self.by}", f"{sign}id"


class ChangeCursorPagination(TimeCursorPagination):
    by = "updated_at"
