"""The dashboard as the admin's start page. Its context comes from unfold's DASHBOARD_CALLBACK."""

from django.contrib import admin

admin.site.index_template = "operations/dashboard.html"
admin.site.index_title = "Overview"
