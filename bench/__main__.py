"""`make bench`: what Parley promises about speed, measured on this machine, side by side with other designs."""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module

import django

from runtime.row_security import scope

from . import database, stack, tables
from .stack import Scale
from .tables import Goal

# The function of each part, below bench.parts. It's imported when it's needed, so that one that fails doesn't affect
# the others.
PARTS = {
    "webhook": "webhook.against_the_bare_view",
    "replying": "webhook.while_replying",
    "batches": "webhook.batches",
    "original": "original.run",
    "replies": "replies.steady",
    "in-flight": "replies.in_flight",
    "latency": "replies.latency",
    "workers": "replies.workers",
    "alongside": "alongside.run",
    "statements": "statements.run",
    "peer": "peer.run",
    "trace": "trace.run",
    "history": "history.run",
    "growth": "growth.run",
    "deletion": "deletion.run",
    "desk": "desk.run",
    "desks": "desks.run",
    "memory": "memory.run",
    "search": "search.run",
    "slow-clients": "attacks.slow_clients",
    "heavy": "attacks.heavy",
    "refused": "attacks.refused",
    "neighbour": "attacks.neighbour",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, shorter measurements")
    parser.add_argument("--seconds", type=int, help="length of each measurement: 5, or 2 with --quick")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    stack.use_environment()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # when stopped from outside, stop what it started too
    scope.open_process()
    django.setup()
    print(tables.machine(database.make_ready()))
    scale = Scale(seconds=given.seconds or (2 if given.quick else 5), divisor=10 if given.quick else 1)
    sys.exit(run([part for part in PARTS if part in (given.parts or PARTS)], scale))


def run(parts: Sequence[str], scale: Scale) -> int:
    """Run the parts, print all goals, and return how many parts failed."""
    began, failed = time.monotonic(), 0
    goals: list[Goal] = []
    try:
        for position, part in enumerate(parts, start=1):
            minutes = (time.monotonic() - began) / 60
            print(f"[{minutes:4.1f} min] part {position} of {len(parts)}: {part}", file=sys.stderr, flush=True)
            try:
                goals += function(part)(scale)
            except tables.Skipped as reason:
                goals.append(tables.no_result(part, "skipped", str(reason)))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - printed, and the next part begins
                traceback.print_exc()
                failed += 1
                goals.append(tables.no_result(part, "**failed**", f"{type(error).__name__}: {error}"))
    finally:
        tables.print_goals(goals)
        print(f"It took {(time.monotonic() - began) / 60:.1f} minutes. Logs: {stack.DATA}")
    return failed


def function(part: str) -> Callable[[Scale], list[Goal]]:
    module, _, name = PARTS[part].partition(".")
    found: Callable[[Scale], list[Goal]] = getattr(import_module(f"bench.parts.{module}"), name)
    return found


if __name__ == "__main__":
    main()
