"""The URLs of exports under /api/."""

from django.urls import path

from .exporting.api import ExportPartView, ExportsView, ExportView

urlpatterns = [
    path("exports", ExportsView.as_view(), name="api_exports"),
    path("exports/<int:pk>", ExportView.as_view(), name="api_export"),
    path("export-parts/<int:pk>", ExportPartView.as_view(), name="api_export_part"),
]
