"""The commands in the README and the docs: every ```sh block, and which of them can't be run by a test."""

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# What changes say about the past isn't to be pasted.
DOCUMENTS = sorted(
    file.relative_to(PROJECT)
    for pattern in ("*.md", "docs/**/*.md")
    for file in PROJECT.glob(pattern)
    if file.name != "CHANGELOG.md"
)
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
_COMMAND = re.compile(
    r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:make|curl|python3?|pip|git|export|source|cd|psql|docker|\./|\.venv/)\b", re.M
)

# By document and the beginning of the first line: why a test doesn't run this block.
LEFT_OUT = {
    ("README.md", "make run"): "The test starts it, and `make test` takes minutes.",
    ("docs/try-it.md", "make run"): "The test starts it.",
    ("docs/try-it.md", "make reset"): "It asks before it deletes everything.",
    ("docs/backups.md", ".venv/bin/python manage.py restore backups --overwrite"): "It deletes everything.",
    ("docs/backups.md", ".venv/bin/python manage.py settle_restore"): "You stop Parley first.",
    ("docs/backups.md", "pgbackrest"): "It needs a PostgreSQL server of your own.",
    ("docs/connect-a-number.md", "cloudflared tunnel"): "It needs the internet.",
    ("docs/connect-a-number.md", "python manage.py adopt"): "You put in your own IDs.",
    ("docs/connect-a-number.md", 'curl -X POST "https://graph.facebook.com'): "It needs the internet and Meta's token.",
    ("docs/deployment.md", "python3 ops/new_env.py"): "It needs Docker and a host name.",
    ("docs/deployment.md", "git clone <the repository's URL> parley\nsudo"): "It installs Parley on your machine.",
    ("docs/deployment.md", "git clone"): "It needs the internet, and takes minutes.",
    ("docs/deployment.md", "python manage.py migrate"): "It's for a production server, and asks for a password.",
    ("docs/monitoring.md", "python manage.py doctor"): "Its exit code depends on the machine and on the internet.",
    ("docs/monitoring.md", "promtool"): "It needs Prometheus; tests/ops runs it where it's there.",
    ("docs/deployment.md", "python -m gunicorn"): "It's for a production server.",
    ("docs/deployment.md", "WEB_CONCURRENCY=2 python -m gunicorn"): "It's for a production server.",
    ("docs/deployment.md", "DATABASE_STATEMENT_SECONDS=0"): "It needs a PostgreSQL server with two roles.",
    (
        "docs/deployment.md",
        "DATABASE_URL=postgres://postgres",
    ): "It needs a PostgreSQL server: see tests/test_database_roles.py.",
    ("docs/first-change.md", "python -m pytest -n 0 api"): "It fails until you've made the change.",
    ("docs/first-change.md", "python manage.py makemigrations"): "It needs the change.",
    ("docs/first-change.md", "python -m pytest -n 0 leads"): "It needs the change.",
    ("docs/first-change.md", "make check"): "It takes minutes.",
    ("docs/reliability.md", "make faults"): "It takes minutes.",
    ("docs/reliability.md", "make bench"): "It takes minutes.",
    ("docs/reliability.md", "make fuzz"): "It takes minutes.",
    ("docs/knowledge.md", "python manage.py enable_vectors"): "It needs pgvector on your own server.",
    ("docs/sign-in.md", "python manage.py reset_two_factor"): "You put in a name.",
    ("docs/sandbox.md", "python -m sandbox"): "It runs until you stop it.",
    ("docs/upgrading.md", "pip install"): "It needs the internet.",
    ("docs/upgrading.md", "DATABASE_STATEMENT_SECONDS=0"): "It's for a production server.",
    ("docs/webhooks.md", "pip install"): "It needs the internet.",
    ("docs/webhooks.md", "BODY="): "It posts to your own server.",
}


@dataclass(frozen=True, slots=True)
class Block:
    document: str
    text: str

    @property
    def left_out(self) -> tuple[str, str] | None:
        """The key in LEFT_OUT."""
        return next((key for key in LEFT_OUT if key[0] == self.document and self.text.startswith(key[1])), None)


def blocks_of(document: Path) -> list[Block]:
    found = _FENCE.finditer((PROJECT / document).read_text(encoding="utf-8"))
    return [
        Block(str(document), "".join(line.removeprefix(each[1]) for line in each[3].splitlines(keepends=True)))
        for each in found
        if each[2] == "sh"
    ]


def unfenced_commands(document: Path) -> list[str]:
    """Lines that look like commands, in indented blocks or blocks of another language."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    others = [each[3] for each in _FENCE.finditer(text) if each[2] not in ("sh", "python", "ini", "nginx", "caddyfile")]
    rest = _FENCE.sub("", text)
    indented = re.findall(r"(?:^|\n)\n((?: {4,}\S.*\n?)+)", rest)
    lines = [line.strip() for block in [*others, *indented] for line in block.splitlines()]
    return [line for line in lines if _COMMAND.match(line)]
