"""Public data sets to measure with. They aren't part of the project: their licences differ from its own."""

import json
import os
from pathlib import Path
from typing import Any

from .stack import PROJECT
from .tables import Skipped

FOLDER = Path(os.environ.get("BENCH_DATA") or PROJECT.parent / "shared" / "data")


def file(name: str) -> Path:
    """The path of a data set. Raises Skipped if it isn't there."""
    path = FOLDER / name
    if not path.is_file():
        where = "BENCH_DATA" if os.environ.get("BENCH_DATA") else "../shared/data"
        raise Skipped(f"there is no {name} in {where}; BENCH_DATA names the folder with the public data")
    return path


def load(name: str) -> Any:
    return json.loads(file(name).read_text())
