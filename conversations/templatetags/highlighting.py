"""Marks what a search has found."""

from django import template
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

from runtime.words import occurrences

register = template.Library()


@register.filter
def highlight(text: str, term: str) -> SafeString:
    """The text as HTML, with the words of the term marked."""
    parts, end = [], 0
    for start, stop in occurrences(text, term) if term else ():
        parts.append((text[end:start], text[start:stop]))
        end = stop
    marked = format_html_join("", "{}<mark>{}</mark>", parts)
    return format_html("{}{}", marked, conditional_escape(text[end:]))
