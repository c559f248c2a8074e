"""Checks of this machine: settings, keys, disk, storage and email."""

import datetime as dt
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import get_connection
from django.db.models import TextField
from django.db.models.functions import Cast

from tenants.fields import EncryptedTextField, decrypted

from .findings import Finding, error, ok, warning

MB = 1024 * 1024
FEW_BYTES, TOO_FEW_BYTES = 2048 * MB, 300 * MB
FEW_FILES = 10_000
EMAIL_SECONDS = 10
MOST_SECRETS = 10_000  # decrypted by one check
# https://developers.facebook.com/docs/graph-api/changelog/versions, read on 2026-11-05. None: not announced.
GRAPH_ENDS = {
    "v20.0": dt.date(2026, 9, 24),
    "v21.0": dt.date(2027, 1, 21),
    "v22.0": dt.date(2027, 5, 20),
    "v23.0": dt.date(2027, 10, 8),
    "v24.0": dt.date(2028, 2, 18),
    "v25.0": dt.date(2028, 7, 29),
    "v26.0": None,
}
GRAPH_WARNING = dt.timedelta(days=90)


def system_checks() -> Iterator[Finding]:
    """Django's and Parley's own, as `manage.py check` runs them; without DEBUG, `check --deploy`."""
    found = [
        message
        for message in checks.run_checks(include_deployment_checks=not settings.DEBUG)
        # drf_spectacular's are about the code, not about an installation.
        if not message.is_silenced() and not str(message.id).startswith("drf_spectacular.")
    ]
    for message in found:
        make = error if message.level >= checks.ERROR else warning
        remedy = message.hint or f"Look up {message.id} in Django's list of system checks."
        yield make(f"{message.msg} ({message.id})", " ".join(str(remedy).split()))
    if not settings.DEBUG and not settings.PUBLIC_URL.startswith("https://"):
        yield error(f"PUBLIC_URL is {settings.PUBLIC_URL}: Meta only calls https.", "Set PUBLIC_URL to your https URL.")
    elif not found:
        yield ok("The settings are fine.")


def stored_secrets() -> Iterator[Finding]:
    """Whether the keys decrypt what is stored."""
    broken = []
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                column = f"{model._meta.db_table}.{field.column}"
                # As text: the field itself would decrypt, and stop at the first failure.
                raw = model._default_manager.exclude(**{field.attname: ""}).annotate(
                    raw=Cast(field.attname, TextField())
                )
                values = list(raw.values_list("raw", flat=True)[:MOST_SECRETS])
                failed = sum(not _decrypts(value, column) for value in values)
                if failed:
                    broken.append(f"{failed} of {len(values)} values in {column}")
    if broken:
        yield error(
            f"FIELD_ENCRYPTION_KEYS doesn't decrypt {', '.join(broken)}.",
            "Add the key that encrypted them to the end of FIELD_ENCRYPTION_KEYS, or enter the secrets again.",
        )
    else:
        yield ok("The keys decrypt all stored secrets.")


def _decrypts(value: str, column: str) -> bool:
    try:
        decrypted(value, column)
    except ImproperlyConfigured:
        return False
    return True


def graph_version() -> Iterator[Finding]:
    version, today = settings.WHATSAPP_GRAPH_VERSION, dt.datetime.now(dt.UTC).date()
    upgrade = f"Set WHATSAPP_GRAPH_VERSION={list(GRAPH_ENDS)[-1]} and restart."
    if version not in GRAPH_ENDS:
        yield warning(f"It isn't known when the Graph API {version} ends.", "See Meta's changelog of the Graph API.")
        return
    end = GRAPH_ENDS[version]
    if end and end <= today:
        yield error(f"Meta ended the Graph API {version} on {end}.", upgrade)
    elif end and end - today <= GRAPH_WARNING:
        yield warning(f"Meta ends the Graph API {version} on {end}.", upgrade)
    else:
        yield ok(f"The Graph API {version} is available{f' until {end}' if end else ''}.")


def disk() -> Iterator[Finding]:
    folders = {"temporary files": Path(tempfile.gettempdir())}
    if settings.STORAGES["default"]["BACKEND"].endswith("FileSystemStorage"):
        folders["customers' files"] = Path(settings.MEDIA_ROOT)
    for content, folder in folders.items():
        existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
        free, inodes = shutil.disk_usage(existing).free, os.statvfs(existing)
        remedy = f"Free some space, or move {folder} to a larger disk."
        if free < TOO_FEW_BYTES:
            yield error(f"The disk for {content} ({folder}) has only {free // MB} MB left.", remedy)
        elif free < FEW_BYTES:
            yield warning(f"The disk for {content} ({folder}) has only {free // MB} MB left.", remedy)
        elif inodes.f_files and inodes.f_favail < FEW_FILES:
            yield warning(f"The disk for {content} ({folder}) has room for only {inodes.f_favail} more files.", remedy)
        else:
            yield ok(f"The disk for {content} has {free // (1024 * MB)} GB left.")


def storage() -> Iterator[Finding]:
    """Writes, reads and deletes a file."""
    content = uuid.uuid4().bytes
    try:
        name = default_storage.save(f"doctor/{uuid.uuid4()}", ContentFile(content))
        try:
            with default_storage.open(name) as file:
                is_same = file.read() == content
        finally:
            default_storage.delete(name)
    except Exception as failure:  # noqa: BLE001 - storages raise errors of many libraries
        yield error(
            f"Customers' files can't be stored: {type(failure).__name__}: {' '.join(str(failure).split())[:200]}",
            "Let Parley's user write to MEDIA_FOLDER, or check MEDIA_STORAGE_URL and the permissions of its key "
            "(put, get and delete).",
        )
        return
    yield (
        ok("Files can be written, read and deleted.")
        if is_same
        else error(
            "The storage returned different content from what was stored.",
            "Check the disk or the bucket behind the storage.",
        )
    )


def email() -> Iterator[Finding]:
    """Signs in to the mail server. Sends nothing."""
    if not settings.EMAIL_URL:
        yield ok("Email isn't set up, so invitation links have to be sent by hand.")
        return
    server = get_connection(fail_silently=False, timeout=EMAIL_SECONDS)
    try:
        server.open()
        server.close()
    except Exception as failure:  # noqa: BLE001 - smtplib's errors, and those of sockets and TLS
        yield error(
            f"The mail server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} can't be used: "
            f"{type(failure).__name__}: {' '.join(str(failure).split())[:200]}",
            "Check EMAIL_URL: host, port, user, password and TLS.",
        )
    else:
        yield ok("The mail server accepts connections.")
