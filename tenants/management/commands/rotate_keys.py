"""`manage.py rotate_keys`: encrypt every stored secret again with the first key."""

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models, transaction
from tqdm import tqdm

from tenants.fields import EncryptedTextField, decrypted, encrypted

IN_FACTORS = ("secret", "seed")  # of authenticator apps and recovery codes, in their JSON


class Command(BaseCommand):
    help = "Encrypts every secret with the first key in FIELD_ENCRYPTION_KEYS. You can then remove the other keys."

    def handle(self, *args: object, **options: object) -> None:
        for model in apps.get_models():
            names = [field.name for field in model._meta.local_fields if isinstance(field, EncryptedTextField)]
            if names:
                count = _encrypt_again(model, names)
                self.stdout.write(f"{model._meta.db_table}: {count} rows, {', '.join(names)}")
        self.stdout.write(f"mfa_authenticator: {_encrypt_factors_again()} rows, data")


def _encrypt_again(model: type[models.Model], names: list[str]) -> int:
    """One short transaction per row. The row is locked, so a concurrent change isn't overwritten."""
    ids = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
    for pk in tqdm(ids, desc=model._meta.db_table, leave=False):
        with transaction.atomic():
            row = model._default_manager.select_for_update().filter(pk=pk).first()
            if row is not None:
                row.save(update_fields=names)
    return len(ids)


def _encrypt_factors_again() -> int:
    ids = list(Authenticator.objects.filter(data__has_any_keys=IN_FACTORS).order_by("pk").values_list("pk", flat=True))
    for pk in ids:
        with transaction.atomic():
            factor = Authenticator.objects.select_for_update().filter(pk=pk).first()
            if factor is not None:
                secrets = {name: factor.data[name] for name in IN_FACTORS if name in factor.data}
                again = {name: encrypted(decrypted(each, "mfa_authenticator.data")) for name, each in secrets.items()}
                factor.data = {**factor.data, **again}
                factor.save(update_fields=["data"])
    return len(ids)
