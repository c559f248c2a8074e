"""The files in the demo's conversations, drawn on the spot."""

import io

from PIL import Image, ImageDraw

CRUST, CREAM, RED, GREEN, PLATE, BURNT = "#c98a4b", "#fbf1e0", "#c8313c", "#4f8f4a", "#e9edf2", "#2f241d"
LINES = (
    "Harbour Bakery - Moll Vell 12, Palma",
    "",
    "Sourdough loaf   EUR 4.20",
    "Rye bread   EUR 3.80",
    "Butter croissant   EUR 2.10",
    "Cinnamon bun   EUR 2.60",
    "Strawberry cake, 8 people   EUR 28",
    "Chocolate cake, 12 people   EUR 36",
    "Sugar-free fruit cake, 8 people   EUR 30",
)


def content_of(name: str) -> bytes:
    return _price_list() if name.endswith(".pdf") else _cake(is_burnt=name.startswith("burnt"))


def text_of(name: str) -> str:
    """What can be read in a file."""
    return "\n".join(LINES) if name.endswith(".pdf") else ""


def _cake(is_burnt: bool) -> bytes:
    picture = Image.new("RGB", (640, 480), "#b7cbd6")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 330, 640, 480), fill="#8a6a4f")
    draw.ellipse((90, 340, 550, 440), fill=PLATE)
    draw.rounded_rectangle((150, 200, 490, 390), 26, fill=CRUST)
    draw.rectangle((150, 276, 490, 308), fill=CREAM)
    if is_burnt:
        draw.rounded_rectangle((150, 340, 490, 392), 22, fill=BURNT)
    draw.rounded_rectangle((150, 186, 490, 232), 22, fill=CREAM)
    for left in range(172, 470, 52):
        draw.ellipse((left, 150, left + 40, 198), fill=RED)
        draw.polygon([(left + 8, 156), (left + 32, 156), (left + 20, 144)], fill=GREEN)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _price_list() -> bytes:
    """A PDF with one page."""
    text = " ".join(f"({line}) Tj T*" for line in LINES)
    stream = f"BT /F1 16 Tf 24 TL 60 760 Td {text} ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 595 842] "
        b"/Contents 5 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end
