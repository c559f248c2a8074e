"""The URLs of `python -m sandbox`, the same as in Parley."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/sandbox/")),
    path("sandbox/", include("sandbox.urls")),
]
