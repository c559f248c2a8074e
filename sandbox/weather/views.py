"""GET, PUT, POST and DELETE /sandbox/weather, for the weather panel and for tests."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from sandbox.models import WeatherRule
from sandbox.phone.inbound import release_held
from sandbox.stored_json import loads
from sandbox.weather.rules import KINDS, BadRule, add, as_json


@csrf_exempt
@require_http_methods(["GET", "PUT", "POST", "DELETE"])
def weather(request: HttpRequest) -> HttpResponseBase:
    """PUT {"rules": […]} replaces all rules, POST adds one, DELETE removes them (`?id=` one, `?area=` an area)."""
    try:
        if request.method in ("PUT", "POST"):
            _store(request)
        elif request.method == "DELETE":
            chosen = {name: request.GET[name] for name in ("id", "area") if request.GET.get(name)}
            WeatherRule.objects.filter(**chosen).delete()
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    if request.method != "GET":
        release_held()
    return JsonResponse(_report())


def _store(request: HttpRequest) -> None:
    if request.content_type != "application/json":
        # Pages of other sites can't send JSON without a CORS preflight.
        raise BadRule("Send JSON with Content-Type: application/json.")
    body = loads(request.body)
    with transaction.atomic():
        if request.method == "POST":
            add(body)
            return
        if not isinstance(body, dict) or not isinstance(body.get("rules"), list):
            raise BadRule('Send {"rules": [{"area": …, "kind": …}, …]}.')
        WeatherRule.objects.all().delete()
        for rule in body["rules"]:
            add(rule)


def _report() -> dict[str, Any]:
    kinds = {
        area: {name: {"says": kind.says, "params": kind.params} for name, kind in found.items()}
        for area, found in KINDS.items()
    }
    return {"rules": [as_json(row) for row in WeatherRule.objects.all()], "kinds": kinds}
