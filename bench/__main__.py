"""`make bench`: everything that is promised of Parley's speed, measured side by side on this machine."""

import argparse
import time

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
    parser.add_argument("--quick", action="store_true", help="growth and desk with a tenth of the rows")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    stack.DATA.mkdir(parents=True, exist_ok=True)
    stack.use_environment()
    _run(asked.parts or PARTS, asked.seconds, 10 if asked.quick else 1)


def _run(parts: tuple[str, ...] | list[str], seconds: int, growth_part: int) -> None:
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
    for part in PARTS:
        if part in parts:
            benches[part]()
    print(f"\nIt took {(time.monotonic() - began) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
