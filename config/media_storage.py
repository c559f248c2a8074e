"""Storage of message files: a local folder, or a bucket on S3 or an S3-compatible service."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

LOCAL = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
OPTIONS = {"region": "region_name", "endpoint": "endpoint_url", "addressing": "addressing_style"}


def media_storage(url: str) -> dict[str, Any]:
    """Django's entry for `s3://key:secret@bucket/prefix?region=…&endpoint=…`; without a URL, the folder. Without a key
    and secret, the machine's own credentials (its role, or AWS's variables).
    """
    if not url:
        return LOCAL
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.hostname:
        raise ImproperlyConfigured("MEDIA_STORAGE_URL is s3://key:secret@bucket/prefix?region=…&endpoint=…, or empty.")
    chosen = {OPTIONS[name]: value for name, value in parse_qsl(parts.query) if name in OPTIONS}
    secrets = {"access_key": unquote(parts.username or ""), "secret_key": unquote(parts.password or "")}
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": parts.netloc.rpartition("@")[2],
            "location": parts.path.strip("/"),
            "default_acl": None,
            "file_overwrite": False,
            "max_memory_size": 1024 * 1024,  # of a file being read; the rest is kept on disk
            **chosen,
            **{name: value for name, value in secrets.items() if value},
        },
    }
