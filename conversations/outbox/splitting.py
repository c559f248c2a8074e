"""Splits a long text into several messages: WhatsApp's limit is 4096 characters."""

LIMIT = 4096
# Where to split, in order of preference: between paragraphs, lines, sentences, words.
CUTS = ("\n\n", "\n", ". ", "! ", "? ", "… ", " ")


def split_text(text: str, limit: int = LIMIT) -> list[str]:
    """Split the text into parts of at most `limit` characters, none of them blank; [] for a blank text."""
    parts = []
    rest = text.strip()
    while len(rest) > limit:
        end = _cut(rest, limit)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*parts, rest] if rest else parts


def _cut(text: str, limit: int) -> int:
    for mark in CUTS:
        # Don't split in the first half, which would leave a very short message; try the next separator instead.
        at = text.rfind(mark, limit // 2, limit - len(mark.rstrip()) + 1)
        if at != -1:
            return at + len(mark.rstrip())
    return limit
