"""A long text as several messages: WhatsApp takes 4096 characters in one."""

LIMIT = 4096
# Where to cut, the best place first: between paragraphs, lines, sentences, words.
CUTS = ("\n\n", "\n", ". ", "! ", "? ", "… ", " ")


def split_text(text: str, limit: int = LIMIT) -> list[str]:
    """The text in pieces of at most `limit` characters, none of them blank; [] for a blank text."""
    pieces = []
    rest = text.strip()
    while len(rest) > limit:
        end = _cut(rest, limit)
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*pieces, rest] if rest else pieces


def _cut(text: str, limit: int) -> int:
    for mark in CUTS:
        # A cut in the first half would leave a stub of a bubble: take the next kind of place then.
        at = text.rfind(mark, limit // 2, limit - len(mark.rstrip()) + 1)
        if at != -1:
            return at + len(mark.rstrip())
    return limit
