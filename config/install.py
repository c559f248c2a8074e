"""`python -m config.install LOCK`: install a lock file into this virtual environment, showing one line of progress."""

import subprocess
import sys
from pathlib import Path

_COUNTED = ("Collecting ", "Processing ", "Ignoring ", "Requirement already satisfied: ")


def main(lock: Path) -> int:
    total = sum(line[:1].isalnum() for line in lock.read_text(encoding="utf-8").splitlines())
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "-r"]
    output, count = [], 0
    _show("Installing packages into .venv")
    with subprocess.Popen([*command, lock], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            output.append(line)
            if line.startswith(_COUNTED):
                count += 1
                _show(f"Installing packages into .venv: downloaded {count} of {total}")
            elif line.startswith("Installing collected packages"):
                _show(f"Installing packages into .venv: unpacking {total}")
    print(flush=True)
    if pip.returncode:
        print("".join(output), file=sys.stderr)
    return pip.returncode


def _show(text: str) -> None:
    """Overwrite the line in a terminal; in a log, print only the first line."""
    if sys.stdout.isatty():
        print(f"\r{text:<75}", end="", flush=True)
    elif ":" not in text:
        print(text, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
