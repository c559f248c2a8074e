"""What a page says where there is nothing: why, and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmptyState:
    title: str
    words: str = ""
    address: str = ""  # of the page on which to do it
    label: str = ""
