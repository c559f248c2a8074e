"""The words of texts in all scripts, as they're indexed and searched."""

import pytest

from runtime.words import MAX_CHARACTERS, MAX_WORD, fold, index_words, occurrences, query_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café Straße ĐORĐE ŁÓDŹ", "cafe strasse dorde lodz"),
        ("İstanbul'da ISSIZ ısı ğ", "istanbul da issiz isi g"),
        ("Ærø Þór œuvre", "aero thor oeuvre"),
        ("ΟΔΟΣ Άσπρος", "οδοσ ασπροσ"),
        ("Ёлка замо́к", "елка замок"),
        ("نوعٌ مَرْحَبًا أحمد إلى آب مدرسة ســـلام", "نوع مرحبا احمد الي اب مدرسه سلام"),
        ("می\u200cخواهم کتاب", "ميخواهم كتاب"),
        ("שָׁלוֹם, צה״ל", "שלום צה ל"),
        ("नमस्ते, मुझे जन्मदिन का केक चाहिए।", "नमस्ते मुझे जन्मदिन का केक चाहिए"),
        ("हाँ हां ज़रूर", "हां हां जरूर"),
        ("வணக்கம் ধন্যবাদ", "வணக்கம் ধন্যবাদ"),
        ("٣ ۴ ५ ৬ ๗", "3 4 5 6 7"),
        ("ﬁne ｃａｆé ½ ① Ⅷ", "fine cafe 1 2 1 viii"),
        ("a@example.com https://x.org/y?z", "a example com https x org y z"),
        ("don’t e\u00admail 3,50€", "don t email 3 50"),
        ("🎂🎂👍🏽 ❤️ 👨\u200d👩\u200d👧", "🎂 🎂 👍 ❤ 👨 👩 👧"),
        ("", ""),
        ("… !? \x00", ""),
    ],
)
def test_words_are_folded_and_kept_whole(text: str, words: str) -> None:
    assert index_words(text) == query_words(text) == words.split()


@pytest.mark.parametrize(
    ("text", "words", "query"),
    [
        ("蛋糕店", "蛋糕 糕店 店", "蛋糕 糕店"),
        ("糕", "糕", "糕"),
        ("iPhone手机3月", "iphone 手机 机 3 月", "iphone 手机 3 月"),
        ("けーき ケーキ ｹｰｷ", "ケー ーキ キ ケー ーキ キ ケー ーキ キ", "ケー ーキ ケー ーキ ケー ーキ"),
        ("が", "ガ", "ガ"),
        ("케이크를", "케이 이크 크를 를", "케이 이크 크를"),
        ("กาแฟ", "กา าแ แฟ ฟ", "กา าแ แฟ"),
        ("ລາວ", "ລາ າວ ວ", "ລາ າວ"),
        ("ខ្មែរ", "ខ្ ្ម មែ ែរ រ", "ខ្ ្ម មែ ែរ"),
        ("မြန်", "မြ ြန န် ်", "မြ ြန န်"),
        ("🇩🇪🇫🇷", "🇩🇪 🇪🇫 🇫🇷 🇷", "🇩🇪 🇪🇫 🇫🇷"),
    ],
)
def test_scripts_without_spaces_are_indexed_by_pairs(text: str, words: str, query: str) -> None:
    assert index_words(text) == words.split()
    assert query_words(text) == query.split()


def test_long_texts_and_words_are_cut() -> None:
    assert index_words("x" * 300) == ["x" * MAX_WORD]
    assert len(fold("\ufdfa" * MAX_CHARACTERS)) == MAX_CHARACTERS  # each is 18 characters when decomposed
    assert index_words("e" + "\u0301\u0323" * MAX_CHARACTERS) == ["e"]
    assert index_words("ก" + "\u0e48\u0e38" * MAX_CHARACTERS) == ["ก"]


def test_what_postgresql_cannot_store_is_left_out() -> None:
    assert index_words("a\x00b\ud83dc") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "term", "found"),
    [
        ("Ein Café, CAFE und Cafés; kein Subcafé", "cafe", ["Café", "CAFE", "Café"]),
        ("e\u0301te\u0301 ½ Straße", "ete 1 strasse", ["e\u0301te\u0301", "½", "Straße"]),
        ("我想订蛋糕，蛋糕", "蛋糕", ["蛋糕", "蛋糕"]),
        ("मुझे जन्मदिन का केक", "जन्मदिन", ["जन्मदिन"]),
        ("مَرْحَبًا بك", "مرحبا", ["مَرْحَبًا"]),
        ("👨\u200d👩\u200d👧 trip 👍🏽", "👨\u200d👩\u200d👧 👍", ["👨\u200d👩\u200d👧", "👍🏽"]),
        ("(.*)", ".*", []),
        ("", "a", []),
    ],
)
def test_finds_where_the_words_are(text: str, term: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in occurrences(text, term)] == found
