"""The transcription stand-in: returns what the sender typed for the voice note, or otherwise its size."""

import hashlib
import time

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from sandbox.model.answers import ModelRefusal, tokens
from sandbox.model.weather import HTML
from sandbox.models import Media
from sandbox.weather.rules import KINDS, take

MOST = 25 * 1024 * 1024


def hear(request: HttpRequest) -> HttpResponseBase:
    """The response in the requested `response_format`. Raises ModelRefusal."""
    if request.method != "POST":
        raise ModelRefusal(405, f"Not allowed to {request.method} on /v1/audio/transcriptions.")
    data = _audio(request)
    if slow := take("hearing", ["slow"], {}):
        time.sleep(slow["seconds"])
    rule = take("hearing", [kind for kind in KINDS["hearing"] if kind != "slow"], {})
    if rule is not None and rule.kind == "server_error":
        raise ModelRefusal(
            rule["status"], "The server had an error while processing your request.", kind="server_error"
        )
    if rule is not None and rule.kind == "html":
        return HttpResponse(HTML)
    return _formatted(request, data, "" if rule is not None else _words(data))


def _audio(request: HttpRequest) -> bytes:
    if not request.POST.get("model"):
        raise ModelRefusal(400, "you must provide a model parameter")
    file = request.FILES.get("file")
    if file is None:
        raise ModelRefusal(400, "Missing required parameter: 'file'.", code="missing_required_parameter", param="file")
    if (file.size or 0) > MOST:
        raise ModelRefusal(413, f"Maximum content size limit ({MOST}) exceeded.")
    data: bytes = file.read()
    if not data:
        raise ModelRefusal(400, "Audio file is too short. Minimum audio length is 0.1 seconds.", code="audio_too_short")
    return data


def _words(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    said = Media.objects.filter(sha256=digest).exclude(spoken="").values_list("spoken", flat=True).first()
    return said or f"This is a voice note of {len(data)} bytes."


def _formatted(request: HttpRequest, data: bytes, text: str) -> HttpResponseBase:
    language = request.POST.get("language") or "en"
    seconds = max(1, len(data) // 2_000)
    match request.POST.get("response_format", "json"):
        case "text":
            return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8")
        case "verbose_json":
            answer = {
                "task": "transcribe",
                "language": language,
                "duration": float(seconds),
                "text": text,
                "segments": [],
            }
            return JsonResponse(answer)
    used = {"type": "tokens", "input_tokens": seconds * 10, "output_tokens": tokens(text)}
    return JsonResponse({"text": text, "usage": used | {"total_tokens": seconds * 10 + tokens(text)}})
