"""The admin API of the business numbers."""

from typing import Any

from django.db.models import Model
from rest_framework import serializers

from api.staff.tenants import IsSet, OwnedTenantField, TenantScopedViewSet
from conversations.outbox import queue as outbox
from whatsapp.models import WhatsAppAccount

SECRET = {"write_only": True, "required": False, "style": {"input_type": "password"}}


class WhatsAppAccountSerializer(serializers.ModelSerializer[WhatsAppAccount]):
    """Secrets go in and never come out: absent keeps what is stored, "" removes it."""

    tenant = OwnedTenantField()
    has_access_token = IsSet(source="access_token")
    has_app_secret = IsSet(source="app_secret")

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


class WhatsAppAccountViewSet(TenantScopedViewSet):
    """The WhatsApp numbers of the businesses."""

    queryset = WhatsAppAccount.objects.order_by("pk")
    serializer_class = WhatsAppAccountSerializer

    def perform_update(self, serializer: Any) -> None:
        account = serializer.save()
        if serializer.validated_data.get("access_token"):
            outbox.resume(account.phone_number_id)  # a new token: what waited for it may go
