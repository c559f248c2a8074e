"""The dashboard as the admin's start page, and the lists of other packages.

The dashboard's context comes from unfold's DASHBOARD_CALLBACK.
"""

from django.contrib import admin
from django.http import HttpRequest

from tenants.scoped_admin import FilteredList, TenantScopedAdmin

admin.site.index_template = "operations/dashboard.html"
admin.site.index_title = "Overview"


def filtered_list(request: HttpRequest, **kwargs: object) -> type[FilteredList]:
    return FilteredList


for others in admin.site._registry.values():
    if not isinstance(others, TenantScopedAdmin):
        others.get_changelist = filtered_list  # type: ignore[method-assign]
        others.date_hierarchy = None  # type: ignore[misc]  # it fails with a 500 on a year that's too large
