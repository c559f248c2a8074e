"""The addresses for programs, under /api/."""

from django.urls import path

from .key_views import KeyView

urlpatterns = [
    path("key", KeyView.as_view(), name="api_key"),
]
