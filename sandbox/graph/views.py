"""The views of the Graph API stand-in."""

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from sandbox.graph.access import logged, token_of
from sandbox.graph.errors import GraphRefusal
from sandbox.graph.media import delete_media, media_json, upload
from sandbox.graph.messages import Answer, answer
from sandbox.graph.nodes import node, phone_numbers, subscribed_apps, template_list
from sandbox.log import begin_request, finish, storable
from sandbox.models import Media
from sandbox.severed import Severed, sever


@csrf_exempt
def messages(request: HttpRequest, version: str, phone_number_id: str) -> HttpResponseBase:
    """POST: send a message, or mark one as read."""
    entry = begin_request("graph", request, storable(request.body))
    try:
        if request.method != "POST":
            raise GraphRefusal(100, "Unsupported get request.", subcode=33)
        given = answer(request, phone_number_id)
    except GraphRefusal as refusal:
        given = Answer(JsonResponse(refusal.body(), status=refusal.status), f"refused: {refusal}")
    sent = given.message
    severed = isinstance(given.response, Severed)
    status = None if severed else given.response.status_code
    finish(entry, given.outcome, status, sent.opaque if sent else "", sent.wamid if sent else "")
    if severed:
        sever(request)
    return given.response


@csrf_exempt
def media(request: HttpRequest, version: str, phone_number_id: str) -> HttpResponseBase:
    """POST: upload a file. Its ID can be sent for 30 days."""
    return logged(request, lambda: JsonResponse(upload(request, phone_number_id)))


@csrf_exempt
def graph_object(request: HttpRequest, version: str, object_id: str) -> HttpResponseBase:
    """GET: the fields of a phone number, or the URL of a file. DELETE: delete a file."""

    def found() -> HttpResponseBase:
        token_of(request)
        file = Media.objects.filter(media_id=object_id).defer("data").first()
        if file is None:
            return JsonResponse(node(request, object_id))
        return JsonResponse(delete_media(file) if request.method == "DELETE" else media_json(request, file))

    return logged(request, found)


@csrf_exempt
def account(request: HttpRequest, version: str, waba_id: str, edge: str) -> HttpResponseBase:
    """GET: the edges of a WhatsApp Business Account. POST to subscribed_apps: subscribe."""

    def found() -> HttpResponseBase:
        token_of(request)
        return JsonResponse(EDGES[edge](request, waba_id))

    return logged(request, found)


EDGES = {
    "subscribed_apps": subscribed_apps,
    "phone_numbers": phone_numbers,
    "message_templates": template_list,
}
