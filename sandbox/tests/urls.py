"""The sandbox where config/urls.py mounts it."""

from django.urls import include, path

urlpatterns = [path("sandbox/", include("sandbox.urls"))]
