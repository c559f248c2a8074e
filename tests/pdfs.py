"""Small handmade PDFs with one page per text."""

import io

from pypdf import PdfReader, PdfWriter


def pdf(*pages: str, password: str = "") -> bytes:
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(max(1, len(pages))))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {max(1, len(pages))} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for number, text in enumerate(pages or ("",)):
        content = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode()
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 600 800] "
            f"/Contents {5 + 2 * number} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _locked(_written(objects), password) if password else _written(objects)


def _written(objects: list[bytes]) -> bytes:
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def _locked(data: bytes, password: str) -> bytes:
    writer, locked = PdfWriter(PdfReader(io.BytesIO(data))), io.BytesIO()
    writer.encrypt(password)
    writer.write(locked)
    return locked.getvalue()
