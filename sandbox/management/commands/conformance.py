"""`manage.py conformance URL`: does this webhook cope with what Meta really delivers?"""

from argparse import ArgumentParser
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from sandbox.conformance.running import Result, all_checks, run
from sandbox.conformance.wire import Wire
from sandbox.models import PhoneNumber
from sandbox.phone.people import FIRST_NUMBER


class Command(BaseCommand):
    help = (
        "Posts awkward deliveries to a webhook and says which are handled. The bot must use the sandbox as its "
        "Graph API (and best as its model too), since its replies are looked for in the sandbox's log."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = getattr(settings, "PORT", 8000)
        parser.add_argument("url", help="the webhook, for example http://127.0.0.1:8000/api/whatsapp/webhook")
        parser.add_argument("--secret", default="", help="the app secret that signs; without it nothing is signed")
        parser.add_argument("--verify-token", default="", help="for the handshake")
        parser.add_argument("--sandbox", default=f"http://127.0.0.1:{port}/sandbox", help="where the sandbox is")
        parser.add_argument("--phone-number-id", default=FIRST_NUMBER, help="a number that the bot answers for")
        parser.add_argument("--wait", type=float, default=30, help="seconds for replies to come")
        parser.add_argument("--settle", type=float, default=5, help="seconds for replies that should not come")

    def handle(self, *args: Any, **options: Any) -> None:
        wire = self._wire(options)
        try:
            results = self._run(wire, options)
        except httpx2.HTTPError as error:
            raise CommandError(f"The sandbox at {wire.sandbox} does not answer: {error}") from None
        finally:
            wire.close()
        for result in results:
            self.stdout.write(self._line(result))
        if not options["secret"]:
            self.stdout.write("- not checked: wrong signatures (give --secret)")
        missed = [result for result in results if result.missed]
        self.stdout.write(f"\n{len(results) - len(missed)} of {len(results)} handled")
        if missed:
            raise SystemExit(1)

    def _wire(self, options: dict[str, Any]) -> Wire:
        number = PhoneNumber(
            phone_number_id=options["phone_number_id"], display_phone_number="15550000001", waba_id="102290129340398"
        )
        try:
            return Wire(options["url"], options["sandbox"].rstrip("/"), options["secret"], number)
        except httpx2.HTTPError as error:
            raise CommandError(
                f"The sandbox at {options['sandbox']} does not answer ({error}). Start it, or name it by --sandbox."
            ) from None

    def _run(self, wire: Wire, options: dict[str, Any]) -> list[Result]:
        given = all_checks(options["secret"], options["verify_token"])
        with tqdm(total=len(given) + 2, unit="check", leave=False) as bar:

            def step(says: str) -> None:
                bar.set_description(says)
                bar.update()

            return run(wire, given, options["wait"], options["settle"], step)

    def _line(self, result: Result) -> str:
        if result.missed:
            return self.style.ERROR(f"✗ {result.says}: {result.missed}")
        return self.style.SUCCESS(f"✓ {result.says}")
