"""What makes the desk an app that can be installed and receives push messages: its manifest and its service worker.
Both are the same for everyone, and contain nothing secret.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control


@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """Served from the root, as it's responsible only for paths below its own."""
    return render(request, "notifications/service_worker.js", content_type="text/javascript")


@cache_control(max_age=3600)
def manifest(request: HttpRequest) -> HttpResponse:
    home = reverse("admin:index")
    icons = [
        {"src": static("notifications/icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": static("notifications/icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {
            "src": static("notifications/icon-maskable.png"),
            "sizes": "512x512",
            "type": "image/png",
            "purpose": "maskable",
        },
    ]
    content = {
        "name": "Parley",
        "short_name": "Parley",
        "id": home,
        "start_url": reverse("admin:conversations_conversation_changelist"),
        "scope": home,
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#9333ea",
        "icons": icons,
    }
    return JsonResponse(content, content_type="application/manifest+json")
