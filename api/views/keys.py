"""The API key that a request uses."""

from django.db.models import Model
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.models import ApiKey


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    class Meta:
        model: type[Model] = ApiKey
        fields = ["name", "prefix", "tenant", "scope", "created_at"]
        read_only_fields = fields


class KeyView(ApiView[ApiKey]):
    serializer_class = KeySerializer
    pagination_class = None

    def get(self, request: Request) -> Response:
        """Retrieve your API key.

        Its business and its scope, but not the key itself.
        """
        return Response(KeySerializer(self.key).data)
