"""What the views do not say by themselves: every refusal, and the headers of the rate limit, in the OpenAPI."""

from typing import Any

Json = dict[str, Any]

ERROR: Json = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
    "description": "Why not, in words.",
}
INVALID: Json = {
    "type": "object",
    "additionalProperties": {},
    "description": "What is wrong, by the name of the field; or `detail`.",
}
WORDS = {
    "400": "Something in the request is wrong.",
    "401": "No key, or one that is unknown or revoked.",
    "403": "The key may not do this.",
    "404": "There is no such row in this business, or no such page.",
    "406": "Only JSON is spoken here.",
    "409": "Not as things are now; `detail` says why. Or the Idempotency-Key is taken.",
    "415": "The body is not of the type that is taken here.",
    "503": "Meta did not tell what is needed for this; `detail` says why.",
    "429": "Too many requests in this minute; Retry-After says when to come again.",
}
ASKS_META = {"templates_list", "conversations_messages_create"}
RATE_HEADERS = {
    "RateLimit-Limit": "Requests a minute.",
    "RateLimit-Remaining": "How many are left.",
    "RateLimit-Reset": "Seconds until all are there again.",
}


def describe_refusals(result: Json, generator: Any, request: Any, public: bool) -> Json:
    """A postprocessing hook of drf-spectacular."""
    components = result["components"]
    components["schemas"] |= {"Error": ERROR, "Invalid": INVALID}
    components["headers"] = {
        name: {"description": words, "schema": {"type": "integer"}} for name, words in RATE_HEADERS.items()
    }
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status in _refusals(path, operation):
                operation["responses"].setdefault(status, _refusal(status))
            if _is_for_programs(operation):
                _add_rate_headers(operation)
    return result


def _is_for_programs(operation: Json) -> bool:
    return {"apiKey": []} in operation.get("security", [])


def _refusals(path: str, operation: Json) -> list[str]:
    parameters = operation.get("parameters", [])
    may_be_wrong = "requestBody" in operation or any(each["in"] != "path" for each in parameters)
    names_a_row = "{" in path or any(each["name"] == "cursor" for each in parameters)
    is_idempotent = any(each["name"] == "Idempotency-Key" for each in parameters)
    told = {
        "400": may_be_wrong,
        "401": True,
        "403": True,
        "404": names_a_row,
        "406": True,
        "409": is_idempotent,
        "415": "requestBody" in operation,
        "429": _is_for_programs(operation),
        "503": operation["operationId"] in ASKS_META,
    }
    return [status for status, applies in told.items() if applies]


def _refusal(status: str) -> Json:
    shape = "Invalid" if status == "400" else "Error"
    schema = {"$ref": f"#/components/schemas/{shape}"}
    answer: Json = {"description": WORDS[status], "content": {"application/json": {"schema": schema}}}
    if status == "429":
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answer


def _add_rate_headers(operation: Json) -> None:
    for status, answer in operation["responses"].items():
        if status != "401":
            named = {name: {"$ref": f"#/components/headers/{name}"} for name in RATE_HEADERS}
            answer["headers"] = answer.get("headers", {}) | named
