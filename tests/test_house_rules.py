"""Rules about the code as a whole that no linter checks."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LONGEST = 300
SUFFIXES = {".py", ".html", ".js", ".css", ".md", ".toml", ""}


def files_of_the_project() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:  # not a git clone
        names = [str(file.relative_to(PROJECT)) for file in PROJECT.rglob("*")]
    else:
        names = listed.stdout.split("\0")
    hidden = {".git", ".venv", ".data", "staticfiles", "__pycache__"}
    files = [PROJECT / name for name in names if name and not hidden & set(Path(name).parts)]
    return [file for file in files if file.is_file() and file.suffix in SUFFIXES]


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {
        str(file.relative_to(PROJECT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in files_of_the_project()
    }
    assert len(lengths) > 50, "the files of the project were not found"
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
