"""Everything below /sandbox/."""

from django.urls import path

from sandbox import graph_views, log_views, model_views

app_name = "sandbox"
urlpatterns = [
    path("graph/<str:version>/<str:phone_number_id>/messages", graph_views.messages),
    path("graph/<str:version>/<str:waba_id>/subscribed_apps", graph_views.apps),
    path("graph/<str:version>/<str:object_id>", graph_views.graph_object),
    path("openai/v1/chat/completions", model_views.chat_completions),
    path("openai/v1/models", model_views.model_list),
    path("log", log_views.log, name="log"),
]
