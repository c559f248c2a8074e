"""The admin API of the WhatsApp accounts."""

from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.db.models import Model
from rest_framework import serializers
from rest_framework.serializers import BaseSerializer
from rest_framework.validators import UniqueTogetherValidator

from api.openapi import summaries
from api.serializers.fields import SECRET, IsSetField
from api.staff.base import OwnTenantField, StaffViewSet
from conversations.outbox import queue as outbox
from whatsapp import activation
from whatsapp.graph import connection_check
from whatsapp.models import WhatsAppAccount


class WhatsAppAccountSerializer(serializers.ModelSerializer[WhatsAppAccount]):
    """Secrets are write-only. Leave one out to keep it, or send "" to remove it.

    Meta has to confirm that the access token owns the number before it's active: with `is_active: true`, Meta is asked
    immediately. A superuser may activate any number.
    """

    tenant = OwnTenantField()
    has_access_token = IsSetField("access_token")
    has_app_secret = IsSetField("app_secret")

    class Meta:
        model: type[Model] = WhatsAppAccount
        fields = [
            "id",
            "tenant",
            "phone_number_id",
            "display_phone_number",
            "waba_id",
            "access_token",
            "has_access_token",
            "app_secret",
            "has_app_secret",
            "is_active",
            "last_delivery_at",
            "created_at",
        ]
        read_only_fields = ["last_delivery_at"]
        extra_kwargs = {"access_token": SECRET, "app_secret": SECRET}
        # Not for active accounts: `validate` says so only to those who own the number.
        validators: ClassVar[list[object]] = [
            UniqueTogetherValidator(WhatsAppAccount.objects.all(), ("tenant", "phone_number_id"))
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        names = ("phone_number_id", "waba_id", "access_token", "is_active")
        stored = {name: getattr(self.instance, name) for name in names} if self.instance else {}
        account = WhatsAppAccount(pk=getattr(self.instance, "pk", None), **{**stored, **_only(attrs, names)})
        if activation.needs_confirmation(account, self.context["request"].user):
            if "is_active" not in self.initial_data:
                return {**attrs, "is_active": False}
            findings = connection_check.check(account)
            if not connection_check.is_confirmed(findings):
                problems = [finding.text for finding in findings if not finding.is_good]
                raise serializers.ValidationError({"is_active": problems})
        if activation.is_taken(account):
            raise serializers.ValidationError({"phone_number_id": [activation.TAKEN]})
        return attrs


def _only(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


@summaries("a WhatsApp account", "WhatsApp accounts")
class WhatsAppAccountViewSet(StaffViewSet[WhatsAppAccount]):
    queryset = WhatsAppAccount.objects.all()
    serializer_class = WhatsAppAccountSerializer

    def perform_create(self, serializer: BaseSerializer[WhatsAppAccount]) -> None:
        try:
            with transaction.atomic():
                serializer.save()
        except IntegrityError as error:  # someone else was faster
            raise serializers.ValidationError({"phone_number_id": [activation.TAKEN]}) from error

    def perform_update(self, serializer: BaseSerializer[WhatsAppAccount]) -> None:
        self.perform_create(serializer)
        account = serializer.instance
        if account and account.is_active and serializer.validated_data.get("access_token"):
            outbox.resume(account.phone_number_id)  # a new token can send what the old one couldn't
