"""The whole way from an answer to messages, for any mixture of what models write."""

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.replies.composing import compose
from assistant.replies.grounding import Shown, unknown_facts
from assistant.replies.links import keep_links
from conversations.outbox.splitting import split_text

PIECES = [
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<|im_end|>", "<|im_start|>assistant", "[INST]", "</s>"),
    *("**", "__", "~~", "*", "`", "```\n", "# ", "\n- ", "\n| a | b |\n|---|---|\n", "[x](https://a.example/b_c)"),
    *("word", " ", ". ", "\n\n", "👍🏽", "Ünï", '{"name": "find", "arguments": {}}', "<b>", "&amp;", "\\*"),
]
FORBIDDEN = re.compile(r"</?think>|</?tool_call>|<\|im_\w+\|>|\[INST\]")


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.booleans(), st.integers(12, 60))
def test_every_message_is_clean_not_empty_and_short_enough(pieces: list[str], is_cut_off: bool, limit: int) -> None:
    reply = compose("".join(pieces), is_cut_off)
    parts = split_text(reply, limit)
    assert all(part.strip() and len(part.encode("utf-16-le")) // 2 <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(reply.split()), "no word is lost between the parts"
    assert not FORBIDDEN.search(re.sub("`</?think>`", "", reply))


HOSTILE = [
    *("> " * 2000, "```md\n" * 2000, "[" * 2000, "9" * 9000 + " €", "9" * 9000 + "%", "a.com" * 500, "**a " * 500),
    *("31.12.9999 in 3 days", "0001-01-01", "29 February", "€" * 2000, "1." * 500, "+1" * 500, "💩" * 2000),
]


def read(answer: str) -> None:
    reply, _ = keep_links(compose(answer), [answer], [])
    unknown_facts(f"{reply} 35 € on 3 March", Shown(answer, answer), dt.date(2026, 11, 27))


@pytest.mark.parametrize("answer", HOSTILE)
def test_hostile_text_is_read_without_an_error(answer: str) -> None:
    read(answer)


@given(st.text(max_size=80) | st.text("-+*_~`#>|<.,:/@€$%() 0123456789aZ\n", max_size=60))
def test_any_text_is_read_without_an_error(answer: str) -> None:
    read(answer)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ("<think>Hm.</think> We open at 9. And we cl", "We open at 9."),
        ("**We open at 9.** And we cl", "*We open at 9.*"),
        ("We open at", "We open at"),
        ("<think>Hm. We open", ""),
    ],
)
def test_a_reply_that_was_cut_off_ends_with_its_last_sentence(answer: str, reply: str) -> None:
    assert compose(answer, is_cut_off=True) == reply
