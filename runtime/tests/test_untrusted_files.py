"""Files are read in a process of their own: what their readers find, what they refuse, and what stops them."""

import datetime as dt
import gzip
import tempfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from runtime.untrusted_files import sandbox
from runtime.untrusted_files.refusal import Refused
from runtime.untrusted_files.sandbox import Limits
from tests.office_files import docx, paragraph, table, xlsx
from tests.pdfs import pdf

WHOLE = Limits(megabytes=384, characters=100_000, whole=True)


def read(reader: str, data: bytes, *arguments: object, limits: Limits = WHOLE, **more: Any) -> str:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        return sandbox.read(reader, file, *arguments, limits=limits, **more).decode()


# --- texts ---


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("Öffnung".encode(), "iso-8859-1", "Öffnung"),
        ("Öffnung".encode("cp1252"), "utf-8", "Öffnung"),
        ("Öffnung".encode("cp1252"), "no-such-charset", "Öffnung"),
        ("Öffnung".encode("cp1252"), "zip", "Öffnung"),
        ("Zażółć".encode("cp1250"), "windows-1250", "Zażółć"),
        ("Часы работы: с 9 до 18".encode("cp1251"), "", "Часы работы: с 9 до 18"),
        ("営業時間は９時から１８時までです。".encode("cp932"), "", "営業時間は９時から１８時までです。"),
        ("Öffnung".encode("utf-16"), "utf-8", "Öffnung"),
        ("Öffnung".encode("utf-32"), "", "Öffnung"),
        (b"\xef\xbb\xbfHello", "", "Hello"),
        (b"a\x00b", "", "a\x00b"),
        (b"", "", ""),
    ],
)
def test_text_is_read_in_its_real_encoding(data: bytes, declared: str, text: str) -> None:
    assert read("plain", data, declared) == text


def test_a_file_that_is_not_text_is_refused() -> None:
    with pytest.raises(Refused, match="This kind of file"):
        read("plain", bytes(range(256)) * 10)


def test_a_text_that_is_too_long_is_refused_or_cut() -> None:
    with pytest.raises(Refused, match=r"more than 100,000 characters"):
        read("plain", b"x" * 100_001)
    assert len(read("plain", b"x" * 100_001, limits=Limits(characters=100))) == 100


# --- tables ---


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Cake;Price\nApple;24,00\n;\n", "Cake: Apple; Price: 24,00\n"),
        ('Cake,Price\nApple,"24\n00"\n', "Cake: Apple; Price: 24 00\n"),
        ("Cake\tPrice\nApple\t24\textra", "Cake: Apple; Price: 24; extra\n"),
        ("Apple,24\nCherry,26\n", "Apple; 24\nCherry; 26\n"),
        ("only one column\nand another row\n", "only one column\nand another row\n"),
        ("", ""),
    ],
)
def test_each_row_of_a_table_names_its_columns(data: str, text: str) -> None:
    assert read("table", data.encode()) == text


def test_a_cell_that_never_ends_is_refused() -> None:
    with pytest.raises(Refused, match="closing quotation mark"):
        read("table", b'Cake,Price\nApple,"' + b"x" * 50_000)


def test_a_workbook_is_read_as_it_is_shown() -> None:
    book = openpyxl.Workbook()
    prices = book.worksheets[0]
    prices.title = "Prices"
    prices.append(["Cake", "Price", "Tax", "From", "Sold out"])
    prices.append(["Apple", 24, 0.07, dt.date(2026, 1, 2), True])
    prices["B2"].number_format, prices["C2"].number_format = '#,##0.00 "€"', "0%"
    costs = book.create_sheet("Costs")
    costs.sheet_state = "hidden"
    costs.append(["secret"])
    row = "Cake: Apple; Price: 24.00 €; Tax: 7%; From: 2026-01-02; Sold out: True"
    assert read("office", xlsx(book)).split("\n") == ["", "# Prices", "", row, ""]


# --- documents ---


def test_a_word_document_keeps_its_headings_lists_and_tables() -> None:
    data = docx(
        paragraph("Prices", style="berschrift1"),
        paragraph("All prices ", "include VAT."),
        paragraph("Call first", listed=True),
        table(["Cake", "Price"], ["Apple", "24.00"]),
        styles={"berschrift1": "heading 1"},
    )
    lines = [line for line in read("office", data).split("\n") if line]
    assert lines == ["# Prices", "All prices include VAT.", "- Call first", "Cake: Apple; Price: 24.00"]


def test_a_pdf_says_how_far_it_is_read() -> None:
    said: list[str] = []
    assert read("pdf", pdf("One", "Two"), 10, "all", on_progress=said.append) == "One\nTwo\n"
    assert said == ["page 1 of 2"]


@pytest.mark.parametrize(
    ("reader", "data", "reason"),
    [
        ("pdf", pdf(*["x"] * 11), "11 pages, and at most 10"),
        ("pdf", pdf("Secret", password="x"), "protected by a password"),
        ("pdf", b"%PDF-1.7\nnonsense", "^$"),
        ("pdf", b"", "^$"),
        ("office", b"PK\x03\x04nonsense", "^$"),
        ("office", docx(paragraph("x"))[:-30], "^$"),
        ("office", docx(paragraph("x"), filling=300), "unpacked, it has more than 200 MB"),
        ("office", xlsx(openpyxl.Workbook(), filling=300), "unpacked, it has more than 200 MB"),
        ("office", docx(paragraph("x"), name="other.xml"), "This kind of file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_document_that_cannot_be_read_is_refused(reader: str, data: bytes, reason: str) -> None:
    arguments = (10, "all") if reader == "pdf" else ()
    with pytest.raises(Refused, match=reason):
        read(reader, data, *arguments)


def test_an_archive_that_lies_about_its_size_unpacks_to_what_it_claims() -> None:
    packed = bytearray(docx(paragraph("x"), filling=300))
    at = packed.find(b"PK\x01\x02", packed.find(b"PK\x01\x02") + 4)
    packed[at + 24 : at + 28] = (10).to_bytes(4, "little")  # the second entry's size
    assert read("office", bytes(packed)).strip() == "x"


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("bcdefghi", "cdefghij", strict=True)
    )
    assert read("office", docx(paragraph("&b;"), doctype=f"{bomb}]>")).strip() == ""
    with pytest.raises(Refused):
        read("office", docx(paragraph("&i;"), doctype=f"{bomb}]>"))


# --- web pages ---

PAGE = """<html><head><title>Our  prices</title><script>var text = "hidden"</script></head><body>
<nav><a href="/">Home</a></nav><main><h1>Prices</h1><p>All prices include VAT. We bake every day but Monday.</p>
<h2>Cakes</h2><table><tr><th>Cake</th><th>Price</th></tr><tr><td>Apple</td><td>24.00</td></tr></table>
<ul><li>Call first</li></ul></main><footer>Imprint</footer></body></html>"""


def test_a_page_is_read_without_its_navigation() -> None:
    title, *lines = (line for line in read("page", PAGE.encode()).split("\n") if line)
    assert title == "Our prices"
    assert lines == [
        "# Prices",
        "All prices include VAT. We bake every day but Monday.",
        "## Cakes",
        "Cake: Apple; Price: 24.00",
        "- Call first",
    ]


def test_a_page_of_many_short_entries_is_read_completely() -> None:
    entries = "".join(f"<div><div><a href='/{n}'>Cake {n}</a></div><div>{n} €</div></div>" for n in range(10, 60))
    text = read("page", f"<html><body><nav>Home</nav>{entries}</body></html>".encode())
    assert all(f"Cake {n}" in text for n in range(10, 60))
    assert "Home" not in text


def test_the_charset_in_a_page_is_used() -> None:
    page = PAGE.replace("<head>", '<head><meta charset="windows-1250">').replace("Call first", "Zażółć")
    assert "Zażółć" in read("page", page.encode("cp1250"))


@pytest.mark.parametrize("page", ["", "<html><body><script>write()</script><noscript>Turn on</noscript></body></html>"])
def test_a_page_of_scripts_only_says_so(page: str) -> None:
    with pytest.raises(Refused, match="page"):
        read("page", page.encode())


def test_a_page_nested_too_deeply_is_read_or_refused() -> None:
    try:
        assert "deep" in read("page", b"<div>" * 200_000 + b"deep")
    except Refused as refusal:
        assert str(refusal)  # noqa: PT017 - either is fine, but not without words


# --- sitemaps ---


def sitemap(*urls: str, kind: str = "url") -> bytes:
    entries = "".join(f"<{kind}><loc>{url}</loc></{kind}>" for url in urls)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'.encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_sitemap_lists_pages_and_sitemaps(pack: Any) -> None:
    image = '<url><loc>https://a.test/</loc><i:image xmlns:i="x"><i:loc>https://a.test/i.png</i:loc></i:image></url>'
    data = sitemap("https://a.test/b?x=1&amp;y=2").replace(b"</urlset>", f"{image}</urlset>".encode())
    assert read("sitemap", pack(data), 10).split("\n") == ["page https://a.test/b?x=1&y=2", "page https://a.test/", ""]
    assert read("sitemap", sitemap("https://a.test/s", kind="sitemap"), 10) == "sitemap https://a.test/s\n"
    assert read("sitemap", b"https://a.test/\nnonsense\n", 10) == "page https://a.test/\n"


def test_a_sitemap_of_too_many_pages_is_refused() -> None:
    with pytest.raises(Refused, match="more than 1,000 pages"):
        read("sitemap", sitemap(*(f"https://a.test/{n}" for n in range(100_000))), 1_000)


def test_a_sitemap_that_unpacks_to_gigabytes_is_refused() -> None:
    with pytest.raises(Refused, match="more than 50 MB"):
        read("sitemap", gzip.compress(b" " * (60 << 20), 1), 10)


# --- limits ---


def start_with(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """Have the process run this where it would read."""
    replaced = f"import runtime.untrusted_files.plain as p; p.read = lambda *a: iter([str({statement})]); main()"
    monkeypatch.setattr(sandbox, "START", sandbox.START.replace("main()", replaced))


def test_the_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    start_with(monkeypatch, "len(bytearray(1 << 30))")
    with pytest.raises(Refused, match="more than 384 MB of memory"):
        read("plain", b"")


def test_the_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    start_with(monkeypatch, "__import__('time').sleep(60)")
    with pytest.raises(Refused, match="within 1 second"):
        read("plain", b"", limits=Limits(seconds=1))


def test_the_processor_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    start_with(monkeypatch, "sum(iter(int, 1))")
    with pytest.raises(Refused, match="within 3 second"):
        read("plain", b"", limits=Limits(seconds=3))


def test_it_learns_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush-hush")
    start_with(monkeypatch, "sorted(__import__('os').environ)")
    assert "SECRET_KEY" not in read("plain", b"")


def test_a_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("x" * 50_000)
    with path.open("rb") as file:
        file.read(10)
        assert len(sandbox.read("plain", file, limits=WHOLE)) == 50_000
