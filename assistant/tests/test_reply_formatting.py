"""Markdown becomes WhatsApp's formatting; everything else stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.replies.formatting import to_whatsapp

EMPHASIS = [
    ("**bold**", "*bold*"),
    ("__bold__", "*bold*"),
    ("***both***", "*_both_*"),
    ("___both___", "*_both_*"),
    ("**_both_** and _**both**_", "*_both_* and *_both_*"),
    ("_italic_", "_italic_"),
    ("**bold** and *italic*", "*bold* and _italic_"),
    ("**bold with *italic* inside**", "*bold with _italic_ inside*"),
    ("~~old~~ new", "~old~ new"),
    ("~~old and **bold**~~", "~old and *bold*~"),
    ("**Price:** 20 €", "*Price:* 20 €"),
    ("**Name**: Ann\n**City**: Lyon", "*Name*: Ann\n*City*: Lyon"),
    ("(**a**) “**b**” **c**, **d**.", "(*a*) “*b*” *c*, *d*."),
    ("**over\ntwo lines**", "*over*\n*two lines*"),
    ("** Title **", "*Title*"),
    ("**🎂 Cakes**", "*🎂 Cakes*"),
    # WhatsApp would show these marks as they are.
    ("**Price:**20", "Price:20"),
    ("这是**重要**的", "这是重要的"),
    ("un**believ**able", "unbelievable"),
    ("**Total: 20 €", "Total: 20 €"),
    ("<b>bold</b> <i>italic</i> <del>old</del>", "*bold* _italic_ ~old~"),
    ("one<br>two<br/>three", "one\ntwo\nthree"),
    ("<ul><li>One</li><li>Two</li></ul>", "- One\n- Two"),
    ("Fish &amp; chips &lt; 10 &euro;", "Fish & chips < 10 €"),
    (r"5 \* 3 and \# 1 and 1\. a", "5 * 3 and # 1 and 1. a"),
]

BLOCKS = [
    ("# Title", "*Title*"),
    ("### Title ###\nText", "*Title*\nText"),
    ("## **Bold** title", "*Bold title*"),
    ("Title\n=====\nText", "*Title*\nText"),
    ("Above\n\n---\n\nBelow", "Above\n\nBelow"),
    ("* one\n* two", "- one\n- two"),
    ("+ one\n- two", "- one\n- two"),
    ("- **Apple** – 20 €\n- Cherry", "- *Apple* – 20 €\n- Cherry"),
    ("- one\n  - two\n    - three", "- one\n  - two\n    - three"),
    ("- one\n    * two", "- one\n    - two"),
    ("1. one\n2. **two**\n   - three", "1. one\n2. *two*\n   - three"),
    ("- [ ] open\n- [x] done", "- ☐ open\n- ☑ done"),
    ("- one\n  more of one\n\n- two", "- one\n  more of one\n\n- two"),
    ("> **quoted**\n> more", "> *quoted*\n> more"),
    (
        "| Cake | Price |\n|---|---:|\n| Apple | 20 € |\n| **Nut** | 25 € |",
        "*Cake · Price*\n- Apple · 20 €\n- *Nut* · 25 €",
    ),
    ("Cake | Price\n--- | ---\nApple | 20", "*Cake · Price*\n- Apple · 20"),
    ("| a |  | b |\n|---|---|---|\n| 1 | 2 \\| 3 | |", "*a · b*\n- 1 · 2 | 3"),
    ("See:\n| A | B |\n|---|---|\n| 1 | 2 |\nDone.", "See:\n*A · B*\n- 1 · 2\nDone."),
    ("```markdown\n# Title\n**bold**\n```", "*Title*\n*bold*"),
    ("One\n\n\n\nTwo", "One\n\nTwo"),
]

LINKS = [
    ("[our shop](https://shop.example/cakes)", "our shop: https://shop.example/cakes"),
    ("See [our shop](https://shop.example).", "See our shop: https://shop.example."),
    ("**[our shop](https://shop.example)** now", "*our shop*: https://shop.example now"),
    ("[**shop**](https://shop.example 'Title')", "*shop*: https://shop.example"),
    ("[https://shop.example](https://shop.example)", "https://shop.example"),
    ("[shop.example](https://www.shop.example/)", "https://www.shop.example/"),
    ("<https://shop.example/a_b_c>", "https://shop.example/a_b_c"),
    ("![Apple cake](https://shop.example/a.png)", "Apple cake: https://shop.example/a.png"),
    ("![](https://shop.example/a.png)", "https://shop.example/a.png"),
    ("[the menu][1]\n\n[1]: https://shop.example/menu", "the menu: https://shop.example/menu"),
    ("[call us](tel:+34600123456)", "call us: +34600123456"),
    ("[+34 600 123 456](tel:+34600123456)", "+34 600 123 456"),
    ("[mail](mailto:hi@shop.example?subject=x)", "mail: hi@shop.example"),
    ("<hi@shop.example>", "hi@shop.example"),
    ('<a href="https://shop.example">shop</a>', "shop: https://shop.example"),
    ("[menu](/menu) and [x](javascript:alert(1))", "menu and x"),
    ("**https://shop.example/a_b**", "*https://shop.example/a_b*"),
    ("https://shop.example/__a__/b_c_d*", "https://shop.example/__a__/b_c_d*"),
    ("https://shop.example/wiki/Cake_(food)", "https://shop.example/wiki/Cake_(food)"),
]

UNTOUCHED = [
    "*bold* _italic_ ~old~ `code`",
    "```\nx = **y**\n# no heading\n```",
    "```python\ndef f(x):\n    return x ** 2\n```",
    "Use `**kwargs` and `__init__`.",
    "snake_case_name and another_one",
    "5 * 3 * 2 = 30, 2*3*4, 2**3 and 3**4",
    "#hashtag and #1",
    "a < b and b > c",
    "Replace <your name>.",
    "Card **** **** **** 1234",
    "C:\\Users\\Ann",
    "20 % – 30 %, AT&T",
    "Mon  9-18\n  Tue 10-18",
    "1) one\n2) two",
    "> quoted",
    "a | b | c",
    "Hi 👋🏽\n\nWe open at 9:00.",
    "Price* 20 €\n* excluding VAT".replace("\n* ", "\n*"),
]


@pytest.mark.parametrize(("markdown", "text"), EMPHASIS + BLOCKS + LINKS)
def test_markdown_becomes_whatsapps_formatting(markdown: str, text: str) -> None:
    assert to_whatsapp(markdown) == text
    assert to_whatsapp(text) == text, "a second conversion changes nothing"


@pytest.mark.parametrize("text", UNTOUCHED)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert to_whatsapp(text) == text


PIECES = [
    "**",
    "*",
    "_",
    "__",
    "~~",
    "`",
    "[",
    "](",
    ")",
    "#",
    "# ",
    "\n",
    "- ",
    "| ",
    " ",
    "word",
    "Ünï",
    "1. ",
    "> ",
    "\\",
    "<b>",
    "<",
    "http://a.example",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_no_word_is_lost(pieces: list[str]) -> None:
    text = "".join(pieces)
    converted = to_whatsapp(text)
    assert converted.count("word") == text.count("word")
    assert converted.count("Ünï") == text.count("Ünï")
