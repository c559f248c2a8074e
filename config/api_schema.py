"""Settings of the API's schema and its documentation."""

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"

SPECTACULAR_SETTINGS = {
    "TITLE": "Parley",
    "VERSION": tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"],
    "SERVE_INCLUDE_SCHEMA": False,
    # Several fields are called `kind` or `state`, each with choices of its own.
    "ENUM_NAME_OVERRIDES": {
        "MessageKind": "conversations.choices.MessageKind",
        "FileKind": "conversations.outbox.contents.FILE_KINDS",
        "KnowledgeSourceKind": "knowledge.models.SourceKind",
        "KnowledgeSourceState": "knowledge.models.SourceState",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "api.openapi.complete_schema"],
    # We serve Swagger's files ourselves: the page's content security policy allows nothing else.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
