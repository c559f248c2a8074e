"""`manage.py conformance [URL]`: check that a webhook handles everything Meta delivers."""

from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.module_loading import import_string
from tqdm import tqdm

from sandbox.conformance.client import Client
from sandbox.conformance.runner import Result, all_checks, run
from sandbox.models import PhoneNumber
from sandbox.phone.people import FIRST_NUMBER
from sandbox.phone.posting import webhook_url


class Command(BaseCommand):
    help = (
        "Posts difficult deliveries to a webhook and prints which of them it handles. The bot must use the sandbox as "
        "its Graph API, and ideally as its model, because the check looks for its replies in the sandbox's log. "
        "Without a URL, it checks this installation, and removes what the check left behind."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = getattr(settings, "PORT", 8000)
        parser.add_argument(
            "url",
            nargs="?",
            default="",
            help="the URL of the webhook, such as http://127.0.0.1:3000/webhook (default: this installation's, "
            "with its app secret and verify token)",
        )
        parser.add_argument("--secret", default="", help="the app secret to sign with (default: unsigned)")
        parser.add_argument("--verify-token", default="", help="the verify token for the handshake")
        parser.add_argument("--sandbox", default=f"http://127.0.0.1:{port}/sandbox", help="the URL of the sandbox")
        parser.add_argument("--phone-number-id", default=FIRST_NUMBER, help="the phone number ID to send to")
        parser.add_argument("--wait", type=float, default=30, help="how many seconds to wait for replies")
        parser.add_argument("--settle", type=float, default=5, help="how many seconds to wait for unexpected replies")
        parser.add_argument("--keep", action=BooleanOptionalAction, default=False, help="keep what the check created")

    def handle(self, *args: Any, **options: Any) -> None:
        is_ours = not options["url"]
        if is_ours:
            options["url"] = webhook_url()
            options["secret"] = options["secret"] or next(iter(settings.WHATSAPP_APP_SECRETS), "")
            options["verify_token"] = options["verify_token"] or getattr(settings, "WHATSAPP_VERIFY_TOKEN", "")
        started = timezone.now()
        client = self._client(options)
        try:
            results = self._run(client, options)
        except httpx2.HTTPError as error:
            raise CommandError(f"The sandbox at {client.sandbox} doesn't respond: {error}") from None
        finally:
            client.close()
            if is_ours and not options["keep"]:
                customers = {each for person in client.people for each in (person.phone, person.user_id)}
                import_string(settings.CONFORMANCE_CLEANUP)(options["phone_number_id"], customers, started)
        for result in results:
            self.stdout.write(self._line(result))
        if not options["secret"]:
            self.stdout.write("- not checked: wrong signatures (no app secret is set)")
        missed = [result for result in results if result.missed]
        self.stdout.write(f"\n{len(results) - len(missed)} of {len(results)} handled")
        if missed:
            raise SystemExit(1)

    def _client(self, options: dict[str, Any]) -> Client:
        number = PhoneNumber(
            phone_number_id=options["phone_number_id"], display_phone_number="15550000001", waba_id="102290129340398"
        )
        try:
            return Client(options["url"], options["sandbox"].rstrip("/"), options["secret"], number)
        except httpx2.HTTPError as error:
            raise CommandError(
                f"The sandbox at {options['sandbox']} doesn't respond ({error}). Start it with `make run`, "
                "or set --sandbox."
            ) from None

    def _run(self, client: Client, options: dict[str, Any]) -> list[Result]:
        given = all_checks(options["secret"], options["verify_token"])
        with tqdm(total=len(given) + 2, unit="check", leave=False, disable=None) as bar:

            def step(says: str) -> None:
                bar.set_description(says)
                bar.update()

            return run(client, given, options["wait"], options["settle"], step)

    def _line(self, result: Result) -> str:
        if result.missed:
            return self.style.ERROR(f"✗ {result.says}: {result.missed}")
        return self.style.SUCCESS(f"✓ {result.says}")
