"""Random requests of one business: the other's IDs, cursors, filters, uploads and bulk actions, and nonsense."""

import base64
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from django.apps import apps
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.forms.models import model_to_dict

from tests.both_businesses import SECRET, THEIRS
from tests.test_isolation import routes
from whatsapp.tests.factories import change, delivery, text_message
from whatsapp.webhook.signature import sign

# Values that have broken something somewhere: other types, too large, not text, another encoding.
NONSENSE: Sequence[str] = (
    *("", "0", "-1", "00", "1.5", "1e9", "NaN", "true", "null", "[]", "{}", "x", "'", '"', "\\", "%", "_", "*", "\x00"),
    *(
        "a\x00b",
        "\r\nSet-Cookie: a=b",
        "(a*)(a*)\\1",
        "(",
        "[",
        "$where",
        "../../etc/passwd",
        "{{7*7}}",
        "<b>",
        "٣",
        "²",
    ),
    *("😀", "\ud800", "é" * 300, "9" * 30, "9" * 5000, "-" + "9" * 30, str(2**31), str(2**63), str(2**63 - 1)),
    *("2024-02-30", "0000-00-00", "9999-12-31T23:59:59Z", "0001-01-01", "99999-01-01", "2026-01-01T00:00:00+99:99"),
    *("00000000-0000-0000-0000-000000000000", "_5F", "_", "__", "pk", "id", "-pk", "password", "tenant"),
)
LOOKUPS = (
    *("", "__exact", "__iexact", "__contains", "__icontains", "__startswith", "__endswith", "__regex", "__iregex"),
    *("__gt", "__gte", "__lt", "__lte", "__in", "__isnull", "__isempty", "__range", "__year", "__date", "__week_day"),
    *("__id__exact", "__pk", "__tenant", "__tenant__name__regex", "__search", "__has_key", "__0", "__unaccent", "__"),
)
LIST_PARAMETERS = (
    *(
        "q",
        "p",
        "o",
        "all",
        "e",
        "_to_field",
        "_popup",
        "_facets",
        "_source_model",
        "_changelist_filters",
        "_saveasnew",
    ),
    *("before", "since", "seen", "cursor", "limit", "order", "search", "updated_since", "created_since", "stage"),
    *(
        "handled_by",
        "needs_person",
        "active",
        "phone_number_id",
        "until",
        "app_label",
        "model_name",
        "field_name",
        "term",
    ),
    *("next", "format", "lang", "version", "name", "language", "template", "kind", "section", "s", "page", "tenant"),
)
WEBHOOK = "api/whatsapp/webhook"
OUR_SECRET = "our-own-app-secret"  # of our account
MODEL_NAMES = [f"{model._meta.app_label}.{model._meta.model_name}" for model in apps.get_models()]


@dataclass(frozen=True)
class Request:
    """One request, as Django's test client sends it."""

    method: str
    url: str
    data: Any = None
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        body = "" if self.data is None else f" {self.data!r:.600}"
        return f"{self.method} {self.url!r:.600} {self.headers or ''}{body}"


class Requests:
    """Made from a seed, so that a request can be made again. `theirs`, `ours`: rows by the path of their admin."""

    def __init__(self, seed: int, ours: dict[str, Model], theirs: dict[str, Model], cursors: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self.ours, self.theirs, self.cursors = ours, theirs, cursors
        self.routes = sorted({route for route in routes() if not route.startswith("sandbox/")})
        lists = tuple(f"admin/{path}/" for path in ours)
        self.with_rows = [route for route in self.routes if route.startswith((*lists, "api/"))]
        self.actions = sorted({name for each in admin.site._registry.values() for name in _action_names(each)})

    def next(self) -> Request:
        route = self.random.choice(self.with_rows if self.chance(0.85) else self.routes)
        if route == WEBHOOK and self.chance(0.8):
            return self.delivery()
        path = "/" + re.sub(r"<[^>]+>", lambda part: quote(self.encodable(self.identifier(route)), safe=""), route)
        path = re.sub(r"\(\?P.*?\)\$?|\^|\$", lambda part: quote(self.encodable(self.value()), safe="/"), path)
        url = path + self.query(route) if self.chance(0.7) else path
        method = self.random.choices(
            ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], [50, 34, 4, 6, 4, 1, 1]
        )[0]
        if method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            return Request(method, url)
        headers = {"Idempotency-Key": self.value()[:60]} if self.chance(0.1) else {}
        if any(ord(letter) > 126 or ord(letter) < 32 for letter in headers.get("Idempotency-Key", "")):
            headers = {}
        if route.startswith("api/") and self.chance(0.8):
            body = self.random.choice(["{", "[1]", '"\\ud800"', "null"]) if self.chance(0.1) else self.as_json(route)
            return Request(method, url, body, "application/json", headers)
        if method == "POST" and self.chance(0.15):
            return Request(
                method, url, {**self.form(route), self.random.choice(["file", "upload"]): self.file()}, "", headers
            )
        if method == "POST":
            return Request(method, url, self.form(route), "", headers)
        return Request(
            method, url, urlencode(self.form(route), doseq=True), "application/x-www-form-urlencoded", headers
        )

    def delivery(self) -> Request:
        """Signed by our own app, about their number."""
        numbers = [str(getattr(row, "phone_number_id", "")) for row in self.theirs.values()]
        number, sender = self.random.choice([each for each in numbers if each]), self.value()
        items = [text_message("Hello", **{"from": sender}), text_message("Hello", id=self.value()), self.value()]
        statuses = [{"id": self.value(), "status": "read", "timestamp": self.value(), "recipient_id": sender}]
        body = json.dumps(delivery(change(messages=items, statuses=statuses, phone_number_id=number)))
        signature = {"X-Hub-Signature-256": sign(body.encode(), OUR_SECRET)}
        return Request("POST", f"/{WEBHOOK}", body, "application/json", signature)

    # --- parts ---

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def identifier(self, route: str) -> str:
        """Mostly of the row that the route is about, and mostly theirs."""
        rows = self.theirs if self.chance(0.75) else self.ours
        parts = route.split("/")
        fitting = [
            row for path, row in rows.items() if path.split("/")[-1].rstrip("s") in {part.rstrip("s") for part in parts}
        ]
        return self.value() if self.chance(0.2) else str(self.random.choice(fitting or list(rows.values())).pk)

    def value(self) -> str:
        made: list[Callable[[], str]] = [
            lambda: self.random.choice(NONSENSE),
            lambda: str(self.random.choice(list(self.theirs.values())).pk),
            lambda: str(self.random.choice(list(self.ours.values())).pk),
            lambda: "".join(self.random.choices("aZ09%_-.,:;/?&=+<>'\"\\\x00\n é😀", k=self.random.randint(1, 12))),
            lambda: self.random.choice(MODEL_NAMES),
        ]
        return self.random.choice(made)()

    def cursor(self) -> str:
        if self.cursors and self.chance(0.5):
            return self.random.choice(self.cursors)
        position = urlencode({self.random.choice("opr"): self.encodable(self.value()) for _ in range(3)})
        return base64.b64encode(position.encode()).decode()

    def query(self, route: str) -> str:
        names = []
        for _ in range(self.random.randint(1, 3)):
            filters = self.filter_names(route)
            names.append(
                self.random.choice(filters) if filters and self.chance(0.6) else self.random.choice(LIST_PARAMETERS)
            )
        pairs = [(name, self.encodable(self.cursor() if name == "cursor" else self.value())) for name in names]
        return "?" + (urlencode(pairs) if self.chance(0.95) else "&".join(f"{name}=%ff%ed%a0%80%" for name, _ in pairs))

    def filter_names(self, route: str) -> list[str]:
        model = self.model_of(route)
        if model is None:
            return []
        columns = [each.name for each in model._meta.get_fields()] + ["pk", "conversation__tenant", "tenant__assistant"]
        return [self.random.choice(columns) + self.random.choice(LOOKUPS) for _ in range(3)]

    def model_of(self, route: str) -> type[Model] | None:
        found = next((row for path, row in self.theirs.items() if f"/{path}/" in f"/{route}/"), None)
        return type(found) if found is not None else None

    def form(self, route: str) -> dict[str, Any]:
        """For buttons, forms, bulk actions and editable lists."""
        pks = [str(row.pk) for row in self.theirs.values()] + [str(row.pk) for row in self.ours.values()]
        form: dict[str, Any] = {"post": "yes"} if self.chance(0.3) else {}
        if self.chance(0.5):
            form |= {
                "action": self.random.choice([*self.actions, self.value()]),
                "index": self.random.choice(["0", "", self.value()]),
            }
            form |= {
                "_selected_action": [*self.random.sample(pks, 2), self.value()],
                "select_across": self.random.choice(["0", "1"]),
            }
        if self.chance(0.4):
            form |= {
                "form-TOTAL_FORMS": self.random.choice(["1", self.value()]),
                "form-INITIAL_FORMS": "1",
                "_save": "1",
            }
            form |= {"form-0-id": self.random.choice(pks), "form-0-stage": "won"}
        if "<path:object_id>" in route and self.chance(0.7):  # otherwise the form as it was, with a few changes
            row = self.random.choice(
                [row for row in self.theirs.values() if type(row) is self.model_of(route)] or [None]
            )
            # Without what must not come back.
            kept = {
                name: re.sub(f"{THEIRS}|{SECRET}", "Ours", str(value))
                for name, value in (model_to_dict(row) if row else {}).items()
                if value
            }
            form |= kept
        form |= {name: self.column(name) for name in self.column_names(route)}
        form |= {
            name: self.value() for name in self.random.sample(["text", "question", "email", "section", "caption"], 2)
        }
        return {
            name: [self.encodable(each) for each in value] if isinstance(value, list) else self.encodable(value)
            for name, value in form.items()
        }

    def as_json(self, route: str) -> str:
        body: dict[str, Any] = {name: self.column(name) for name in self.column_names(route)}
        extra = {
            "text": self.value(),
            "reply_to": self.value(),
            "template": {"name": self.value()},
            "fields": {self.value(): self.value()},
        }
        body |= {name: extra[name] for name in self.random.sample(sorted(extra), 2)}
        if self.chance(0.3):
            body |= {name: self.random.choice([10**30, -1, 1.5, None, [], {}, [[]], True]) for name in list(body)[:3]}
        return json.dumps(body)

    def column_names(self, route: str) -> list[str]:
        model = self.model_of(route) or type(self.random.choice(list(self.theirs.values())))
        names = [each.name for each in model._meta.fields]
        return self.random.sample(names, min(len(names), self.random.randint(1, 6)))

    def column(self, name: str) -> str:
        """A value for this column: often the one of their row, such as its tenant."""
        rows = [row for row in self.theirs.values() if hasattr(row, f"{name}_id")]
        return str(getattr(self.random.choice(rows), f"{name}_id")) if rows and self.chance(0.7) else self.value()

    def file(self) -> SimpleUploadedFile:
        name = self.random.choice(["a.pdf", "../../x.png", "a.html", "x" * 300 + ".jpg", "\r\n.exe", "😀.mp4", "a"])
        kind = self.random.choice(
            ["image/png", "application/pdf", "text/html", "video/mp4", "x", "audio/ogg; codecs=opus"]
        )
        content = self.random.choice(
            [b"x", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"<script>alert(1)</script>", b"\x00" * 1000]
        )
        return SimpleUploadedFile(name, content, kind)

    def encodable(self, value: object) -> str:
        return str(value).encode("utf-8", "replace").decode()


def _action_names(each: admin.ModelAdmin[Any]) -> list[str]:
    return ["delete_selected", *(name if isinstance(name, str) else name.__name__ for name in each.actions or [])]
