from django.http import HttpResponse
from django.urls import path

from .views import webhook

urlpatterns = [
    path("api/whatsapp/webhook", webhook),
    path("healthz", lambda request: HttpResponse("ok")),
]
