#!/usr/bin/env python
"""Django's command-line entry point."""

import os
import sys
from pathlib import Path

_VENV = Path(__file__).resolve().parent / ".venv" / "bin" / "python"

try:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from runtime.row_security import scope
except ModuleNotFoundError:
    if not _VENV.exists() or Path(sys.prefix) == _VENV.parent.parent:
        sys.exit("Parley's packages aren't installed. Run `make run`, which installs them into .venv, and try again.")
    os.execv(_VENV, [str(_VENV), *sys.argv])  # noqa: S606 - the virtual environment isn't activated

if __name__ == "__main__":
    scope.open_process()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
