"""The assistant's settings, and what it used each day."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TypedDict

from django.db import transaction
from django.db.models import Count, Model, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import MayChangeSettings
from api.base import ApiView
from api.serializers.fields import FIELDS_OF_MODELS, SECRET, IsSetField
from assistant.models import Assistant, Turn
from audit import watching

DEFAULT_DAYS = 30
MAX_DAYS = 366


class AssistantSerializer(serializers.ModelSerializer[Assistant]):
    """`api_key` is write-only. Leave it out to keep it, or send "" to remove it."""

    serializer_field_mapping = FIELDS_OF_MODELS
    has_api_key = IsSetField("api_key")
    # Read-only because the server connects to it and could be made to reach internal hosts.
    base_url = serializers.CharField(
        read_only=True, help_text="Empty for the installation's default. Only a superuser can change it, in the admin."
    )

    class Meta:
        model: type[Model] = Assistant
        fields = [
            "instructions",
            "fallback_text",
            "model",
            "temperature",
            "max_output_tokens",
            "history_limit",
            "history_growth",
            "daily_token_limit",
            "embedding_model",
            "base_url",
            "api_key",
            "has_api_key",
            "sees_images",
            "fact_check",
            "allowed_hosts",
            "previews_links",
            "transcription_language",
            "person_hint",
            "after_handover",
            "returns_after_minutes",
            "out_of_hours",
            "away_text",
            "quiet_seconds",
            "max_wait_seconds",
        ]
        extra_kwargs = {"api_key": SECRET}


class AssistantView(ApiView[Assistant]):
    permission_classes = [MayChangeSettings]
    queryset = Assistant.objects.all()
    serializer_class = AssistantSerializer
    pagination_class = None

    def get(self, request: Request) -> Response:
        """Retrieve the assistant's settings.

        Returns the defaults until something is changed.
        """
        return Response(AssistantSerializer(Assistant.of(self.key.tenant_id)).data)

    def patch(self, request: Request) -> Response:
        """Update the assistant's settings.

        Settings that you leave out keep their values.
        """
        changes = AssistantSerializer(Assistant.of(self.key.tenant_id), data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        if changes.validated_data:
            with transaction.atomic():
                with watching.quietly():
                    Assistant.objects.get_or_create(tenant=self.key.tenant)
                watching.update(self.get_queryset(), **changes.validated_data)
        return self.get(request)


class Period(TypedDict, total=False):
    since: dt.date
    until: dt.date


class UsageQuery(serializers.Serializer[None]):
    since = serializers.DateField(
        required=False, help_text=f"The first day. By default, the period is {DEFAULT_DAYS} days long."
    )
    until = serializers.DateField(required=False, help_text="The last day. The default is today (UTC).")

    def validate(self, attrs: Period) -> Period:
        until = attrs.setdefault("until", timezone.now().date())
        if not 2000 <= until.year < 3000:
            raise serializers.ValidationError("`until` must be between the years 2000 and 2999.")
        since = attrs.setdefault("since", until - dt.timedelta(days=DEFAULT_DAYS - 1))
        if since > until:
            raise serializers.ValidationError("`since` must be before `until`, or the same day.")
        if (until - since).days >= MAX_DAYS:
            raise serializers.ValidationError(f"The period can't be longer than {MAX_DAYS} days.")
        return attrs


class DaySerializer(serializers.Serializer[Mapping[str, object]]):
    day = serializers.DateField()
    turns = serializers.IntegerField(help_text="How many times the assistant processed messages.")
    replies = serializers.IntegerField(help_text="How many of these turns ended with a reply.")
    prompt_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    cost = serializers.DecimalField(
        18, 6, allow_null=True, help_text="In US dollars. Null if the model's prices aren't known."
    )


class UsageSerializer(serializers.Serializer[Mapping[str, object]]):
    days = DaySerializer(many=True)


class UsageView(ApiView[Turn]):
    queryset = Turn.objects.all()
    tenant_path = "conversation__tenant"
    pagination_class = None

    @extend_schema(parameters=[UsageQuery], responses=UsageSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the assistant's usage per day.

        Days are in UTC. Days without activity are left out.
        """
        period = self.validated_query(UsageQuery).validated_data
        begin, end = (dt.datetime.combine(period[name], dt.time(), dt.UTC) for name in ("since", "until"))
        turns = self.get_queryset().filter(opened_at__gte=begin, opened_at__lt=end + dt.timedelta(days=1))
        return Response(UsageSerializer({"days": _by_day(turns)}).data)


def _by_day(turns: "QuerySet[Turn]") -> Iterable[Mapping[str, object]]:
    days = turns.annotate(day=TruncDate("opened_at")).values("day").order_by("day")
    return days.annotate(
        turns=Count("pk"),
        replies=Count("pk", filter=Q(state=Turn.State.REPLIED)),
        **{name: Sum(name) for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "cost")},
    )
