"""GET and DELETE /sandbox/log."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from sandbox.log import as_json
from sandbox.models import LogEntry

MOST = 1_000


@csrf_exempt
@require_http_methods(["GET", "DELETE"])
def log(request: HttpRequest) -> HttpResponseBase:
    """`?area=graph|model|webhook`, `?after=<id>`, `?limit=<n>`: the newest entries, newest last."""
    if request.method == "DELETE":
        LogEntry.objects.all().delete()
        return HttpResponse(status=204)
    entries = LogEntry.objects.order_by("-id")
    if area := request.GET.get("area"):
        entries = entries.filter(area=area)
    try:
        entries = entries.filter(pk__gt=int(request.GET.get("after", 0)))
        limit = min(int(request.GET.get("limit", 200)), MOST)
    except ValueError:
        return JsonResponse({"error": "`after` and `limit` must be numbers."}, status=400)
    return JsonResponse({"entries": [as_json(entry) for entry in reversed(entries[:limit])]})
