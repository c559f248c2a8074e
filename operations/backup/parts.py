"""The files of a backup: the manifest, and the two parts that it vouches for, which may be encrypted."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError
from tqdm import tqdm

MANIFEST = "manifest.json"
DATABASE, FILES = "database.dump", "files.tar"
CHUNK = 1024 * 1024
FORMAT = 1


@dataclass(frozen=True)
class Part:
    """One file of the backup. sha256: of what is on disk, so encrypted parts can be checked without the key."""

    name: str
    size: int
    sha256: str


@dataclass
class Manifest:
    """What a backup holds. tables: each table's number of rows. migrations: those that were applied."""

    taken_at: str
    version: str
    server: int
    tables: dict[str, int]
    migrations: list[str]
    files: int = 0
    format: int = FORMAT
    parts: list[Part] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        try:
            data: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise CommandError(f"{folder} was made by a newer version of Parley. Install that version first.")
            return cls(**{**data, "parts": [Part(**part) for part in data["parts"]]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(f"{folder} isn't a backup of Parley: {error}") from error

    def part(self, name: str) -> Part | None:
        """The part with this name, whether encrypted or not."""
        return next((part for part in self.parts if part.name.removesuffix(".age").removesuffix(".gpg") == name), None)


@contextmanager
def writing(folder: Path, name: str, recipients: list[str], manifest: Manifest) -> Iterator[IO[bytes]]:
    """Write a part: yields the stream for its content. Once it's on disk, it's entered in the manifest."""
    command, suffix = _encrypt_command(recipients)
    path = folder / f"{name}{suffix}"
    with path.open("xb") as file:
        path.chmod(0o600)
        if command:
            with _start(command, stdin=subprocess.PIPE, stdout=file) as process:
                assert process.stdin  # noqa: S101
                yield process.stdin
            if process.returncode:
                raise CommandError(f"{command[0]} failed, so there is no backup.")
        else:
            yield file
        file.flush()
        os.fsync(file.fileno())
    manifest.parts.append(Part(path.name, path.stat().st_size, _hash(path)))


@contextmanager
def reading(folder: Path, part: Part, identity: str) -> Iterator[IO[bytes]]:
    """The content of a part, decrypted. identity: the file with age's key."""
    command = _decrypt_command(part.name, identity)
    with (folder / part.name).open("rb") as file:
        if not command:
            yield file
            return
        with _start(command, stdin=file, stdout=subprocess.PIPE) as process:
            assert process.stdout  # noqa: S101
            yield process.stdout
        if process.returncode:
            raise CommandError(f"{part.name} couldn't be decrypted.")


def check(folder: Path, manifest: Manifest) -> None:
    """Raise CommandError unless every part is what the manifest says."""
    for part in manifest.parts:
        path = folder / part.name
        if not path.is_file():
            raise CommandError(f"{path} is missing.")
        if path.stat().st_size != part.size or _hash(path) != part.sha256:
            raise CommandError(f"{path} has changed since the backup was made. It's damaged, so it can't be restored.")


def copy(source: IO[bytes], target: IO[bytes], label: str) -> None:
    """Copy everything, and show how far we are."""
    with tqdm(desc=label, unit="B", unit_scale=True, leave=False, disable=None) as bar:
        while chunk := source.read(CHUNK):
            target.write(chunk)
            bar.update(len(chunk))


def _encrypt_command(recipients: list[str]) -> tuple[list[str], str]:
    """The command that encrypts for these recipients, and the ending of the file's name. Nothing without recipients."""
    if not recipients:
        return [], ""
    named = [word for each in recipients for word in ("--recipient", each)]
    if all(each.startswith(("age1", "ssh-")) for each in recipients):
        return ["age", "--encrypt", *named], ".age"
    return ["gpg", "--batch", "--trust-model", "always", "--encrypt", *named], ".gpg"


def _decrypt_command(name: str, identity: str) -> list[str]:
    if name.endswith(".gpg"):
        return ["gpg", "--batch", "--quiet", "--decrypt"]
    if not name.endswith(".age"):
        return []
    if not identity:
        raise CommandError("This backup is encrypted with age. Name the file that has your key: --identity FILE")
    return ["age", "--decrypt", "--identity", identity]


def _start(command: list[str], stdin: int | IO[bytes], stdout: int | IO[bytes]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(command, stdin=stdin, stdout=stdout)
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]} isn't installed. On Debian: apt install {command[0]}") from error


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
