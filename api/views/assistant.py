"""A tenant's assistant for programs: its settings, and what it used a day."""

import datetime as dt
from typing import Any

from django.db.models import Count, Model, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.parsers import finite
from api.staff.tenants import IsSet
from assistant.models import Assistant, Turn

DEFAULT_DAYS = 30
MOST_DAYS = 366
SECRET = {"write_only": True, "required": False, "style": {"input_type": "password"}}


class AssistantSerializer(serializers.ModelSerializer[Assistant]):
    """`api_key` goes in and never comes out: absent keeps what is stored, "" removes it."""

    has_api_key = IsSet(source="api_key")
    # Where the server itself connects to is the installation's decision: it reaches inner addresses.
    base_url = serializers.CharField(read_only=True, help_text="Empty: OPENAI_BASE_URL.")

    class Meta:
        model: type[Model] = Assistant
        fields = [
            "instructions",
            "fallback_text",
            "model",
            "temperature",
            "max_output_tokens",
            "history_limit",
            "daily_token_limit",
            "base_url",
            "api_key",
            "has_api_key",
            "returns_after_minutes",
            "quiet_seconds",
            "max_wait_seconds",
        ]
        extra_kwargs = {"api_key": SECRET}

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            if isinstance(field, serializers.FloatField):
                field.validators = [finite, *field.validators]
        return fields


class AssistantView(ApiView):
    queryset = Assistant.objects.all()
    serializer_class = AssistantSerializer
    pagination_class = None

    def get(self, request: Request) -> Response:
        """The assistant's settings; the defaults while none were set."""
        return Response(AssistantSerializer(self._assistant()).data)

    def patch(self, request: Request) -> Response:
        """Change some of them."""
        changes = AssistantSerializer(self._assistant(), data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        if changes.validated_data:
            Assistant.objects.get_or_create(tenant=self.key.tenant)
            self.get_queryset().update(**changes.validated_data)
        return self.get(request)

    def _assistant(self) -> Assistant:
        return self.get_queryset().first() or Assistant(tenant=self.key.tenant)


class UsageQuery(serializers.Serializer[Any]):
    since = serializers.DateField(required=False, help_text=f"The first day. Default: {DEFAULT_DAYS} days in all.")
    until = serializers.DateField(required=False, help_text="The last day. Default: today (UTC).")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        until = attrs.setdefault("until", timezone.now().date())
        if not 2000 <= until.year < 3000:
            raise serializers.ValidationError("`until` is a day of this millennium.")
        since = attrs.setdefault("since", until - dt.timedelta(days=DEFAULT_DAYS - 1))
        if not 0 <= (until - since).days < MOST_DAYS:
            raise serializers.ValidationError(f"`until` is 0 to {MOST_DAYS - 1} days after `since`.")
        return attrs


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    turns = serializers.IntegerField(help_text="Bursts of messages that the assistant dealt with.")
    replies = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    cost = serializers.DecimalField(18, 6, allow_null=True, help_text="US dollars, where prices are known.")


class UsageSerializer(serializers.Serializer[Any]):
    days = DaySerializer(many=True)


class UsageView(ApiView):
    queryset = Turn.objects.all()
    serializer_class = UsageSerializer
    tenant_path = "conversation__tenant"
    pagination_class = None

    @extend_schema(parameters=[UsageQuery])
    def get(self, request: Request) -> Response:
        """What the assistant did and used on each day (UTC) on which it did anything."""
        asked = self.asked(UsageQuery).validated_data
        begin, end = (_midnight(day) for day in (asked["since"], asked["until"]))
        turns = self.get_queryset().filter(opened_at__gte=begin, opened_at__lt=end + dt.timedelta(days=1))
        return Response(UsageSerializer({"days": _by_day(turns)}).data)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _by_day(turns: Any) -> Any:
    days = turns.annotate(day=TruncDate("opened_at")).values("day").order_by("day")
    return days.annotate(
        turns=Count("pk"),
        replies=Count("pk", filter=Q(state=Turn.State.REPLIED)),
        **{name: Sum(name) for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "cost")},
    )
