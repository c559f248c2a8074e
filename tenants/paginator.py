"""Pages of a list without counting its rows, which would read all of them."""

from django.utils.functional import cached_property
from unfold.paginator import InfinitePaginator


class UnknownCount(int):
    """A large number that is displayed as nothing: "Select all leads" instead of "Select all 9999999999 leads"."""

    def __str__(self) -> str:
        return ""


class UncountedPaginator(InfinitePaginator):  # type: ignore[misc]
    @cached_property
    def count(self) -> int:
        return UnknownCount(super().count)
