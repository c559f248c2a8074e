"""Cursor pagination: the last page is as fast as the first, and rows added meanwhile don't shift pages."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

Of = TypeVar("Of", bound=Model)
Row = TypeVar("Row")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class PageQuery(serializers.Serializer[None]):
    """The query parameters of every list."""

    lookups: ClassVar[dict[str, str]] = {}  # of the parameters that filter: name and lookup

    cursor = serializers.CharField(
        required=False, help_text="Position in the list. Use the URLs in `next` and `previous` instead of building it."
    )
    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_LIMIT,
        help_text=f"How many objects to return. The default is {DEFAULT_LIMIT}.",
    )

    def filtered(self, rows: "QuerySet[Of]") -> "QuerySet[Of]":
        query = self.validated_data
        return rows.filter(**{lookup: query[name] for name, lookup in self.lookups.items() if name in query})


class OrderedQuery(PageQuery):
    order = serializers.ChoiceField(
        ["newest", "oldest"], required=False, help_text="Which objects come first. The default is `newest`."
    )


class IdCursorPagination(CursorPagination):
    """By ID, newest first."""

    page_size = DEFAULT_LIMIT
    page_size_query_param = "limit"
    max_page_size = MAX_LIMIT
    ordering = "-id"
    invalid_cursor_message = "Invalid cursor. Start again without `cursor`."

    def paginate_queryset(
        self, queryset: "QuerySet[Of, Row] | Sequence[Row]", request: Request, view: APIView | None = None
    ) -> list[Row] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError):  # a made-up cursor that isn't a valid position
            raise NotFound(self.invalid_cursor_message) from None


class TimeCursorPagination(IdCursorPagination):
    """By time and ID: newest first, or oldest first with `order=oldest`."""

    time_field: ClassVar[str] = "created_at"

    def get_ordering(self, request: Request, queryset: "QuerySet[Model]", view: APIView) -> tuple[str, ...]:
        sign = "" if request.query_params.get("order") == "oldest" else "-"
        return f"{sign}{self.time_field}", f"{sign}id"


class ChangeCursorPagination(TimeCursorPagination):
    time_field = "updated_at"
