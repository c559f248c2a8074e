"""The admin API of the WhatsApp accounts."""

from django.db.models import Model
from rest_framework import serializers
from rest_framework.serializers import BaseSerializer

from api.openapi import summaries
from api.serializers.fields import SECRET, IsSetField
from api.staff.base import OwnTenantField, StaffViewSet
from conversations.outbox import queue as outbox
from whatsapp.models import WhatsAppAccount


class WhatsAppAccountSerializer(serializers.ModelSerializer[WhatsAppAccount]):
    """Secrets are write-only. Leave one out to keep it, or send "" to remove it."""

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


@summaries("a WhatsApp account", "WhatsApp accounts")
class WhatsAppAccountViewSet(StaffViewSet[WhatsAppAccount]):
    queryset = WhatsAppAccount.objects.all()
    serializer_class = WhatsAppAccountSerializer

    def perform_update(self, serializer: BaseSerializer[WhatsAppAccount]) -> None:
        account = serializer.save()
        if serializer.validated_data.get("access_token"):
            outbox.resume(account.phone_number_id)  # a new token can send what the old one couldn't
