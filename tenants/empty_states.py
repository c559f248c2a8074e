"""What a page shows when there is nothing to list: why, and what to do next."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmptyState:
    title: str
    text: str = ""
    url: str = ""  # of the page for the next step
    label: str = ""  # of the link to it
