"""Small handmade Office files."""

import io
import zipfile

from openpyxl import Workbook

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def docx(
    *blocks: str,
    styles: dict[str, str] | None = None,
    doctype: str = "",
    name: str = "word/document.xml",
    filling: int = 0,
) -> bytes:
    """filling: MB of another entry that pack well."""
    named = "".join(
        f'<w:style w:styleId="{pk}"><w:name w:val="{called}"/></w:style>' for pk, called in (styles or {}).items()
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, f"{doctype}<w:document {_W}><w:body>{''.join(blocks)}</w:body></w:document>")
        if filling:
            archive.writestr("word/media/image1.bmp", bytes(filling << 20))
        if styles:
            archive.writestr("word/styles.xml", f"<w:styles {_W}>{named}</w:styles>")
    return file.getvalue()


def paragraph(*texts: str, style: str = "", listed: bool = False) -> str:
    properties = (f'<w:pStyle w:val="{style}"/>' if style else "") + ("<w:numPr/>" if listed else "")
    runs = "".join(f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>' for text in texts)
    return f"<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>"


def table(*rows: list[str]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def xlsx(book: Workbook, filling: int = 0) -> bytes:
    file = io.BytesIO()
    book.save(file)
    if filling:
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/image1.bmp", bytes(filling << 20))
    return file.getvalue()
