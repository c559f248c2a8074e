"""Places where the fault tests let a process die. In production each is one look at an empty string.

``CRASH_POINT=name`` kills the process the first time it passes that point; ``CRASH_POINT_LATCH`` names a file
that is made at that moment, so that the process that is started again gets past. Both are read once, at start.
The names are those of the table in ``docs/reliability.md``.
"""

import os
import signal
from pathlib import Path

_armed = os.environ.get("CRASH_POINT", "")
_latch = Path(os.environ.get("CRASH_POINT_LATCH", "/nonexistent/latch"))


def reach(name: str) -> None:
    """Die here, as if the power had failed, when this point is armed and nobody died here before."""
    if name != _armed or _latch.exists():
        return
    _latch.touch(exist_ok=False)
    os.kill(os.getpid(), signal.SIGKILL)
