"""From a model's answer to the text that a customer gets."""

import re

from .cleaning import clean
from .formatting import to_whatsapp

_SENTENCE_END = re.compile(r"[.!?…。！？؟।][\"'”’»)\]*_]*(?=\s|$)|[。！？]")


def compose(answer: str, is_cut_off: bool = False) -> str:
    """The reply; "" if the answer says nothing to the customer. is_cut_off: it ends in the middle of a sentence."""
    said = clean(answer)
    ends = [found.end() for found in _SENTENCE_END.finditer(said)] if is_cut_off else []
    return to_whatsapp(said[: ends[-1]] if ends else said)
