"""Citations: the model writes a passage's number after what it takes from it, such as [2], and [?] if it can't answer.

Code takes these marks out of the reply and maps them to sources. A number that no passage has counts for nothing.
"""

import re
from dataclasses import dataclass

UNKNOWN = "[?]"
# Also in the ways of models that have learned other ones: 【2】, 【2†source】, [^2], [1, 2], [passage 2].
_NUMBERS = r"\d{1,4}(?:\s?(?:[,;]|-|–|and)\s?\d{1,4})*"
_MARK = re.compile(
    rf"(?P<before>[ \t]*)(?:\[(?:\^|#|(?i:passages?|sources?|knowledge)[ :#]*)?(?P<one>{_NUMBERS})\](?!\()"
    rf"|[【〔［](?P<other>{_NUMBERS})(?:†[^】〕］\n]{{0,60}})?[】〕］]"
    r"|[\[［](?P<unknown>[?？])[\]］])"
)


@dataclass(frozen=True, slots=True)
class Marked:
    """A reply without its marks. numbers: of the passages it cites, in order. cannot_answer: the model said so."""

    text: str
    numbers: tuple[int, ...]
    cannot_answer: bool


def read(reply: str) -> Marked:
    """Take the marks out of a reply."""
    numbers: list[int] = []
    cannot_answer = False
    for mark in _MARK.finditer(reply):
        cannot_answer = cannot_answer or bool(mark["unknown"])
        numbers += map(int, re.findall(r"\d+", mark["one"] or mark["other"] or ""))
    lines = [_MARK.sub("", line).strip() if _MARK.search(line) else line for line in reply.split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return Marked(text, tuple(dict.fromkeys(numbers)), cannot_answer)
