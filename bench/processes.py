"""What a process and its children have used so far, as /proc says."""

import os
from pathlib import Path

MILLISECONDS = 1000 / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    parents = {int(entry.name): _stat(int(entry.name))[1] for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == str(known)]
    return found


def cpu(pid: int) -> float:
    """CPU time in ms, of the process and its children."""
    return sum(sum(int(ticks) for ticks in _stat(member)[11:13]) for member in tree(pid)) * MILLISECONDS


def resident(pid: int) -> float:
    """Memory in KB that the process and its children hold now."""
    return sum(_status(member, "VmRSS") for member in tree(pid))


def peak(pid: int) -> float:
    """Memory in KB that the process and its children held at most."""
    return sum(_status(member, "VmHWM") for member in tree(pid))


def forget_peak(pid: int) -> None:
    """From now on, `peak` starts at what they hold now."""
    for member in tree(pid):
        Path(f"/proc/{member}/clear_refs").write_text("5")


def _stat(pid: int) -> list[str]:
    """Everything after the name: the state, the parent, …; zeros when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 50


def _status(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0)
