"""The URLs under /sandbox/."""

from django.urls import path, re_path

from sandbox import log_views
from sandbox.graph import media as graph_media
from sandbox.graph import views as graph_views
from sandbox.model import views as model_views
from sandbox.phone import views as phone_views
from sandbox.weather import views as weather_views

app_name = "sandbox"
GRAPH = r"^graph/(?P<version>v\d+\.\d+)"
CHAT = "phone/<str:phone_number_id>/<str:person>"
urlpatterns = [
    path("", phone_views.phone, name="phone"),
    path("phone/people", phone_views.people, name="people"),
    path("phone/numbers", phone_views.numbers),
    path("phone/customers", phone_views.customers),
    path("phone/customers/<int:customer_id>/number", phone_views.customer_number),
    path("phone/files/<str:media_id>", phone_views.file, name="phone-file"),
    path("phone/<str:phone_number_id>/files", phone_views.files),
    path(CHAT, phone_views.chat),
    path(f"{CHAT}/messages", phone_views.messages),
    path(f"{CHAT}/seen", phone_views.seen),
    re_path(rf"{GRAPH}/(?P<phone_number_id>[^/]+)/messages/?$", graph_views.messages),
    re_path(rf"{GRAPH}/(?P<phone_number_id>[^/]+)/media/?$", graph_views.media),
    re_path(
        rf"{GRAPH}/(?P<waba_id>[^/]+)/(?P<edge>subscribed_apps|phone_numbers|message_templates)/?$",
        graph_views.account,
    ),
    re_path(rf"{GRAPH}/(?P<object_id>[^/]+)/?$", graph_views.graph_object),
    path("graph/files/<str:media_id>", graph_media.media_bytes, name="media-bytes"),
    path("openai/v1/chat/completions", model_views.chat_completions),
    path("openai/v1/audio/transcriptions", model_views.transcriptions),
    path("openai/v1/models", model_views.model_list),
    path("log", log_views.log, name="log"),
    path("weather", weather_views.weather, name="weather"),
]
