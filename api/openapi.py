"""The OpenAPI schema: summaries from docstrings, and the errors and headers that the views don't declare."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

Json = dict[str, Any]  # Made by us, so its shape is known.


ViewSet = TypeVar("ViewSet", bound="type[GenericViewSet]")  # type: ignore[type-arg]

DESCRIPTION = """Parley's REST API. There are two ways to authenticate:

- **API key**, for a business's own systems. An owner of the business generates it in the admin, under *API keys*.
  Send it as `Authorization: Bearer prk_…`.
- **Admin token**, for the endpoints under `/api/admin/`. A superuser generates it in the admin, under *Users*.
  It grants what that user's role allows. Send it as `Authorization: Token pra_…`.

Requests and responses are JSON, except file uploads, which are forms."""
ERROR: Json = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
    "description": "What went wrong.",
    "example": {"detail": "Not found. It doesn't exist, or it belongs to another business."},
}
VALIDATION_ERROR: Json = {
    "type": "object",
    "additionalProperties": {},
    "description": "The problems, by field name. A problem with the whole body is in `non_field_errors` or `detail`.",
    "example": {"needs_person": ["Too long: use at most 255 characters."]},
}
# Of requests by operation, and of responses by schema.
EXAMPLES: Json = json.loads((Path(__file__).parent / "examples.json").read_text(encoding="utf-8"))
_PAGE = re.compile(r"Paginated(\w+)List")
DESCRIPTIONS = {
    "400": "The request is invalid. The body lists the problems by field.",
    "401": "The API key or admin token is missing, invalid, expired or revoked.",
    "403": "The API key is read-only, or the user's role doesn't allow this.",
    "404": "The resource doesn't exist or belongs to another business.",
    "406": "Only `application/json` can be returned.",
    "409": "The conversation's state doesn't allow this, or the `Idempotency-Key` is in use, or the file "
    "is still being fetched from WhatsApp. See `detail`.",
    "415": "The request's content type isn't supported.",
    "429": "Rate limit exceeded, or too many invalid keys from your IP address. Wait for the seconds in `Retry-After`.",
    "503": "The message templates couldn't be fetched from Meta. See `detail`.",
}
CALLS_META = {"templates_list", "messages_send"}
RATE_LIMIT_HEADERS = {
    "RateLimit-Limit": "Requests allowed per minute.",
    "RateLimit-Remaining": "Requests left in the current minute.",
    "RateLimit-Reset": "Seconds until the limit resets.",
}


class Schema(AutoSchema):
    """The first paragraph of a docstring is the operation's summary, the rest its description."""

    def get_summary(self) -> str:
        return super().get_description().partition("\n\n")[0].removesuffix(".")

    def get_description(self) -> str:  # type: ignore[override]
        return super().get_description().partition("\n\n")[2]


def summaries(one: str, many: str) -> Callable[[ViewSet], ViewSet]:
    """Summaries for the operations of a model viewset."""
    return extend_schema_view(
        list=extend_schema(summary=f"List {many}"),
        create=extend_schema(summary=f"Create {one}"),
        retrieve=extend_schema(summary=f"Retrieve {one}"),
        update=extend_schema(summary=f"Replace {one}"),
        partial_update=extend_schema(summary=f"Update {one}"),
        destroy=extend_schema(summary=f"Delete {one}"),
    )


def complete_schema(result: Json, generator: SchemaGenerator, request: Request | None, public: bool) -> Json:
    """A postprocessing hook of drf-spectacular: add the description, all errors and the rate limit's headers."""
    result["info"]["description"] = DESCRIPTION
    components = result["components"]
    components["schemas"] |= {"Error": ERROR, "ValidationError": VALIDATION_ERROR}
    components["headers"] = {
        name: {"description": description, "schema": {"type": "integer"}}
        for name, description in RATE_LIMIT_HEADERS.items()
    }
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status in _error_statuses(path, operation):
                operation["responses"].setdefault(status, _error_response(status))
            _add_rate_limit_headers(operation)
            _add_examples(operation)
    return result


def _add_examples(operation: Json) -> None:
    examples = {
        name: {"value": value} for name, value in EXAMPLES["requests"].get(operation["operationId"], {}).items()
    }
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["examples"] = examples
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get("application/json", {})
        schema = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if status.startswith("2") and schema:
            page = _PAGE.fullmatch(schema)
            example = EXAMPLES["schemas"].get(page[1] if page else schema)
            content["example"] = {"next": None, "previous": None, "results": [example]} if page else example


def _error_statuses(path: str, operation: Json) -> list[str]:
    parameters = operation.get("parameters", [])
    has_input = "requestBody" in operation or any(parameter["in"] != "path" for parameter in parameters)
    has_cursor = any(parameter["name"] == "cursor" for parameter in parameters)
    applies = {
        "400": has_input,
        "401": True,
        "403": True,
        "404": "{" in path or has_cursor,
        "406": True,
        "409": any(parameter["name"] == "Idempotency-Key" for parameter in parameters)
        or operation["operationId"] == "files_retrieve",
        "415": "requestBody" in operation,
        "429": True,
        "503": operation["operationId"] in CALLS_META,
    }
    return [status for status, does in applies.items() if does]


def _error_response(status: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{'ValidationError' if status == '400' else 'Error'}"}
    response: Json = {"description": DESCRIPTIONS[status], "content": {"application/json": {"schema": schema}}}
    if status == "429":
        response["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return response


def _add_rate_limit_headers(operation: Json) -> None:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in RATE_LIMIT_HEADERS}
    for status, response in operation["responses"].items():
        if status != "401":
            response["headers"] = response.get("headers", {}) | headers
