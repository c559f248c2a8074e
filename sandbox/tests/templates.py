"""Requests to send the sandbox's templates, for tests."""

from typing import Any

Part = dict[str, Any]
LINK = {"link": "https://bakery.example/files/17"}
PLACE = {"latitude": 53.3, "longitude": -6.2, "name": "Harbour Bakery", "address": "12 Quay Street"}


def template(name: str, *components: Part, code: str = "en") -> Part:
    return {"name": name, "language": {"code": code}, "components": list(components)}


def body(*texts: str, **named: str) -> Part:
    return {"type": "body", "parameters": texts_of(*texts, **named)}


def texts_of(*texts: str, **named: str) -> list[Part]:
    plain = [{"type": "text", "text": text} for text in texts]
    return plain + [{"type": "text", "parameter_name": name, "text": text} for name, text in named.items()]


def header(kind: str, content: Part) -> Part:
    return {"type": "header", "parameters": [{"type": kind, kind: content}]}


def title(*texts: str, **named: str) -> Part:
    return body(*texts, **named) | {"type": "header"}


def button(sub_type: str, index: Any, *parameters: Part) -> Part:
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": list(parameters)}


def link_end(text: str, index: Any = "0") -> Part:
    return button("url", index, {"type": "text", "text": text})


def code(text: Any, index: Any = "1") -> Part:
    return button("copy_code", index, {"type": "coupon_code", "coupon_code": text})


ANN = {"customer_name": "Ann", "order_number": "17", "due_date": "Friday"}
INVOICE = template("invoice_ready", header("document", LINK | {"filename": "invoice.pdf"}), body(**ANN))
SHIPPED = template("order_shipped", header("image", LINK), body("Ann", "17"), link_end("17"))
SALE = template("summer_sale", title("20%"), body("Ann", "Sunday"), code("SUMMER"))
FIND_US = template("find_us", header("location", PLACE), body("Ann"))
SEE_YOU = template("see_you", title(day="Friday"), body(customer_name="Ann", time="10:30"))
RATE = template("rate_visit", header("video", LINK))
