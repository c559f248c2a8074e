"""Sources, added as people add them, and read by the worker."""

from typing import Any

from django.core.files.base import ContentFile

from knowledge import sources
from knowledge.models import Chunk, Source
from knowledge.tests.website import SHOP
from tenants.models import Tenant
from tests.stage import Stage


def add(kind: str, url: str, **columns: Any) -> Source:
    source = Source(tenant=Tenant.objects.single(), kind=kind, url=url, **columns)
    sources.save(source)
    return source


def add_page(url: str = SHOP, **columns: Any) -> Source:
    return add(Source.Kind.PAGE, url, **columns)


def add_file(data: bytes, name: str) -> Source:
    source, upload = Source(tenant=Tenant.objects.single()), ContentFile(data, name)
    with sources.announced([upload]) as (stored,):
        sources.add_file(source, upload, stored)
    return source


def known() -> list[str]:
    return list(Chunk.objects.order_by("source", "position").values_list("text", flat=True))


def read_again(stage: Stage, source: Source) -> Source:
    sources.read_again(Source.objects.filter(pk=source.pk))
    return read(stage, source)


def read(stage: Stage, source: Source) -> Source:
    stage.work()
    return Source.objects.get(pk=source.pk)
