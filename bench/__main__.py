"""`make bench`: everything that is promised of Parley's speed, measured side by side on this machine."""

import argparse
import signal
import sys
import time
import traceback

from . import stack

PARTS = (
    "webhook",
    "replying",
    "original",
    "batches",
    "replies",
    "added",
    "workers",
    "history",
    "growth",
    "desk",
    "cost",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which of {', '.join(PARTS)}; all without")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, shorter measurements")
    parser.add_argument("--seconds", type=int, help="of each measurement: 5, quick 2")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    stack.DATA.mkdir(parents=True, exist_ok=True)
    stack.use_environment()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside, it ends what it started
    sys.exit(_run(asked.parts or PARTS, asked.seconds or (2 if asked.quick else 5), 10 if asked.quick else 1))


def _run(parts: tuple[str, ...] | list[str], seconds: int, growth_part: int) -> int:
    """How many parts failed: the others' tables are printed all the same."""
    import django  # noqa: PLC0415 - the settings are read when the environment is ours

    django.setup()
    from . import cost, database, desk, growth, history, replies, tables, webhook  # noqa: PLC0415

    began = time.monotonic()
    print(tables.machine(database.make_ready()))
    benches = {
        "webhook": lambda: webhook.against_the_floor(seconds),
        "replying": lambda: webhook.while_replying(seconds),
        "original": lambda: webhook.against_the_original(seconds),
        "batches": lambda: webhook.batches(seconds),
        "replies": lambda: replies.end_to_end(seconds * 2),
        "added": replies.added,
        "workers": lambda: replies.workers(seconds),
        "history": history.run,
        "growth": lambda: growth.run(seconds, growth_part),
        "desk": lambda: desk.run(seconds * 4, growth_part),
        "cost": cost.run,
    }
    chosen = [part for part in PARTS if part in parts]
    failed = []
    for position, part in enumerate(chosen, start=1):
        minutes = (time.monotonic() - began) / 60
        print(f"[{minutes:4.1f} min] part {position} of {len(chosen)}: {part}", file=sys.stderr, flush=True)
        try:
            benches[part]()
        except (Exception, SystemExit):  # noqa: BLE001 - it is printed, and the next part begins
            traceback.print_exc()
            failed.append(part)
    print(f"\nIt took {(time.monotonic() - began) / 60:.1f} minutes.")
    if failed:
        print(f"Without a result: {', '.join(failed)}. The logs are in {stack.DATA}.")
    return len(failed)


if __name__ == "__main__":
    main()
