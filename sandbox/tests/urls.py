"""The sandbox under the same path as in config/urls.py."""

from django.urls import include, path

urlpatterns = [path("sandbox/", include("sandbox.urls"))]
