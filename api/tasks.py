"""The cleanup of the rate limits."""

from api.models import ClientWindow
from runtime.clock import ago
from runtime.jobs import BATCH, every


@every(600)
def delete_old_windows() -> int:
    old = ClientWindow.objects.filter(started_at__lt=ago(3600)).order_by("started_at")
    names = list(old.values_list("pk", flat=True)[:BATCH])
    return ClientWindow.objects.filter(pk__in=names, started_at__lt=ago(3600)).delete()[0]
