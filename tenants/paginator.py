"""Pages of a list without counting its rows, which would read all of them."""

from django.utils.functional import cached_property
from unfold import paginator


class UnknownCount(int):
    """A large number that is displayed as nothing: "Select all leads" instead of "Select all 9999999999 leads"."""

    def __str__(self) -> str:
        return ""


class InfinitePaginator(paginator.InfinitePaginator):  # type: ignore[misc]
    """Keeps the name of unfold's class: its templates hide the number of results by that name."""

    @cached_property
    def count(self) -> int:
        return UnknownCount(super().count)
