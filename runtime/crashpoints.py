"""Points where the fault tests kill a process. In production, each one only compares an empty string.

``CRASH_POINT=name`` kills the process the first time it passes that point; ``CRASH_POINT_LATCH`` names a file that is
created at that moment, so that the restarted process gets past it. Both are read once, at startup.
``docs/reliability.md`` lists the names.
"""

import os
import signal
from pathlib import Path

_armed = os.environ.get("CRASH_POINT", "")
_latch = Path(os.environ.get("CRASH_POINT_LATCH", "/nonexistent/latch"))


def reach(name: str) -> None:
    """Die here, as if the power had failed, if this point is armed and no process has died here before."""
    if name != _armed or _latch.exists():
        return
    _latch.touch(exist_ok=False)
    os.kill(os.getpid(), signal.SIGKILL)
