"""Reading the marks of a reply: which passages it cites, and what is left for the customer."""

import pytest

from assistant.knowing.citations import read
from assistant.replies.composing import compose


@pytest.mark.parametrize(
    ("answer", "text", "numbers"),
    [
        ("It costs 28 € [1].", "It costs 28 €.", (1,)),
        ("It costs 28 €.[1]", "It costs 28 €.", (1,)),
        ("Rye [2][1] and spelt [2].", "Rye and spelt.", (2, 1)),
        ("Both [1, 3].", "Both.", (1, 3)),
        ("Both [1; 3] and [4–5].", "Both and.", (1, 3, 4, 5)),
        ("It's 28 €【3】.", "It's 28 €.", (3,)),
        ("It's 28 €【3†price list.pdf】.", "It's 28 €.", (3,)),
        ("It's 28 € [^3].", "It's 28 €.", (3,)),
        ("It's 28 € [passage 3].", "It's 28 €.", (3,)),
        ("It's 28 € [Source: 3].", "It's 28 €.", (3,)),
        ("[1] It's 28 €.", "It's 28 €.", (1,)),
        ("- Rye [1]\n- Spelt [2]", "- Rye\n- Spelt", (1, 2)),
        ("*Rye* [1]", "*Rye*", (1,)),
        ("Cuesta 28 € ［1］ y ya [１].", "Cuesta 28 € y ya.", (1,)),
        ("No marks here.", "No marks here.", ()),
        ("Two lines\n\n[1]", "Two lines", (1,)),
        ("Room [A] and 3 [sic] (1) {2}", "Room [A] and 3 [sic] (1) {2}", ()),
    ],
)
def test_marks_are_read_and_removed(answer: str, text: str, numbers: tuple[int, ...]) -> None:
    cited = read(compose(answer))
    assert (cited.text, cited.numbers, cited.cannot_answer) == (text, numbers, False)


@pytest.mark.parametrize(
    "answer", ["I don't know. [?]", "I don't know [?].", "I don't know.[?]", "I don't know. ［？］"]
)
def test_the_mark_for_no_answer_is_read_and_removed(answer: str) -> None:
    cited = read(compose(answer))
    assert cited.text == "I don't know."
    assert cited.cannot_answer


def test_a_link_in_markdown_is_no_mark() -> None:
    assert read(compose("See [1](https://example.com/prices).")).text == "See 1: https://example.com/prices."
