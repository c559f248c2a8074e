"""The base of every admin: users see and change only the rows of their own businesses."""

import functools
import json
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.db.models import ForeignKey, Model, ProtectedError, QuerySet, URLField
from django.db.models.deletion import Collector
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.views.defaults import page_not_found
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.views import ChangeList

from audit.choices import Action
from audit.recording import record

from .access import (
    ANYONE,
    NOBODY,
    OWNERS,
    Roles,
    for_user,
    has_role,
    has_role_anywhere,
    is_installation_admin,
    tenant_id_of,
)
from .empty_states import EmptyState
from .models import Tenant
from .paginator import InfinitePaginator
from .secret_fields import SecretField, SecretsForm, secret_names

Rows = QuerySet[Any]  # of whatever model an admin is for


class ScopedRelatedFilter(admin.RelatedFieldListFilter):
    """A filter by a related row. It offers only the rows that the related model's admin lists."""

    @property
    def include_empty_choice(self) -> bool:
        # Only superusers see rows without a tenant.
        of_tenant = self.field.related_model is Tenant
        return bool(self.field.null) and (not of_tenant or is_installation_admin(self.request.user))

    def field_choices(self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[Any]:
        choices = visible_rows(model_admin.admin_site, field.remote_field.model, request)
        ordering = self.field_admin_ordering(field, request, model_admin)
        found: list[Any] = field.get_choices(
            include_blank=False, ordering=ordering, limit_choices_to={"pk__in": choices.values("pk")}
        )
        return found


def visible_rows(site: admin.AdminSite, model: type[Model], request: HttpRequest) -> Rows:
    """The rows that the model's admin lists; none if the model has no admin."""
    if not site.is_registered(model):
        return model._default_manager.none()
    return site.get_model_admin(model).get_queryset(request)


class FilteredList(ChangeList):  # type: ignore[misc]
    """A list that can be filtered by its own filters only, in the ways that they offer.

    Django accepts any lookup on a column of the model, such as a regular expression on its text.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = capfirst(self.opts.verbose_name_plural)

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        if others := found[2]:
            raise DisallowedModelAdminLookup(f"This list has no filter called {', '.join(sorted(others))[:200]}.")
        return found


class TenantScopedAdmin(UnfoldModelAdmin, admin.ModelAdmin[Any]):  # type: ignore[misc]  # unfold has no types
    """An admin whose rows belong to tenants. `tenant_path` leads from a row to its tenant.

    Superusers see all rows. Other users see the rows of the tenants they're members of, and their role there decides
    what they may do: `may_view`, `may_add`, `may_change`, `may_delete`. Django's model permissions aren't used.
    `read_only` applies to superusers too.
    """

    tenant_path: ClassVar[str] = "tenant"
    may_view: ClassVar[Roles] = ANYONE
    may_add: ClassVar[Roles] = OWNERS
    may_change: ClassVar[Roles] = OWNERS
    may_delete: ClassVar[Roles] = OWNERS
    read_only: ClassVar[bool] = False
    nothing_yet: ClassVar[str] = ""  # shown in an empty list: when rows appear, or what to do

    form = SecretsForm
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    list_filter_submit = True
    show_full_result_count = False
    paginator = InfinitePaginator
    compressed_fields = True

    # --- rows ---

    def get_queryset(self, request: HttpRequest) -> Rows:
        rows = for_user(super().get_queryset(request), request.user, self.tenant_path, self.may_view)
        related = self.list_select_related  # for the page of one row too
        return rows.select_related(*related) if isinstance(related, list) else rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FilteredList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        changes.empty_state = functools.partial(self.empty_state, request)  # type: ignore[attr-defined]
        return changes

    def empty_state(self, request: HttpRequest) -> EmptyState:
        return EmptyState(f"No {plural(self.model)} yet", self.nothing_yet)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        return page_not_found(request, Http404())  # our page, in development too

    def changeable(self, request: HttpRequest, rows: Rows) -> Rows:
        """The rows that the user may change."""
        return for_user(rows, request.user, self.tenant_path, self.may_change)

    # --- permissions ---

    def has_module_permission(self, request: HttpRequest) -> bool:
        return has_role_anywhere(request.user, self.may_view)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._allows(self.may_view, request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not self.read_only and has_role_anywhere(request.user, self.may_add)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not self.read_only and self._allows(self.may_change, request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not self.read_only and self._allows(self.may_delete, request, obj)

    def _allows(self, roles: Roles, request: HttpRequest, obj: Model | None) -> bool:
        if not isinstance(obj, Model):
            return has_role_anywhere(request.user, roles)
        return has_role(request.user, roles, tenant_id_of(obj, self.tenant_path))

    # --- choices and filters ---

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any]", request: HttpRequest, **kwargs: Any) -> Any:
        choices = self.choices_of(db_field, request)
        kwargs.setdefault("queryset", choices)
        if db_field.name == self.tenant_path and len(only := choices[:2]) == 1:
            kwargs.setdefault("initial", only[0].pk)
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field and db_field.name == self.tenant_path and not is_installation_admin(request.user):
            field.required = True  # only superusers may create rows without a tenant
        return field

    def choices_of(self, db_field: "ForeignKey[Any]", request: HttpRequest) -> Rows:
        model = db_field.remote_field.model
        rows = visible_rows(self.admin_site, model, request)
        if db_field.name == self.tenant_path:
            return for_user(rows, request.user, "pk", self.may_change | self.may_add)
        return rows

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in secret_names(self.model):
            return SecretField(label=db_field.verbose_name.capitalize(), help_text=db_field.help_text)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [self._scoped_filter(name) for name in super().get_list_filter(request)]

    def _scoped_filter(self, name: object) -> object:
        if not isinstance(name, str):
            return name
        *steps, last = name.split("__")
        model: Any = self.model
        for step in steps:
            model = model._meta.get_field(step).related_model
        return (name, ScopedRelatedFilter) if model._meta.get_field(last).is_relation else name

    # --- secrets: users who can't change one only see whether it is set, from `<name>_state` ---

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        writes = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        secrets = secret_names(self.model)
        hidden = [f"{name}_state" for name in secrets] if writes else list(secrets)
        if obj is None:  # what only the database or the program fills in
            columns = {field.name for field in self.model._meta.fields}
            hidden += columns.intersection(self.get_readonly_fields(request))
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in hidden]})
            for title, options in fieldsets
        ]

    # --- writing: the final check, whichever form or action leads here ---

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        self.check_may_save(request, obj, change)
        super().save_model(request, obj, form, change)

    def check_may_save(self, request: HttpRequest, obj: Any, change: bool) -> None:
        """Raises PermissionDenied."""
        roles = self.may_change if change else self.may_add
        if change and not self.changeable(request, self.get_queryset(request)).filter(pk=obj.pk).exists():
            raise PermissionDenied
        if self.tenant_path != "pk" and not self._allows(roles, request, obj):
            raise PermissionDenied

    def response_action(self, request: HttpRequest, queryset: Rows, *args: Any, **kwargs: Any) -> Any:
        action = self.get_actions(request).get(request.POST.get("action", ""))
        reads = action is not None and "view" in getattr(action[0], "allowed_permissions", ())
        if not reads:
            with transaction.atomic():  # with what the audit log says of it
                return super().response_action(request, self.changeable(request, queryset), *args, **kwargs)
        response = super().response_action(request, queryset, *args, **kwargs)
        if response is not None and response.get("Content-Disposition", "").startswith("attachment"):
            chosen = (
                {} if request.POST.get("select_across") == "1" else {"pk__in": request.POST.getlist("_selected_action")}
            )
            tenants = queryset.filter(**chosen).order_by().values_list(self.tenant_path, flat=True).distinct()
            record(Action.EXPORTED, list(tenants), object=plural(self.model))
        return response

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        if not self.has_delete_permission(request, obj):
            raise PermissionDenied
        super().delete_model(request, obj)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The number of rows of each kind: a conversation may have 100,000 messages."""
        collector = Collector(using=router.db_for_write(self.model), origin=objs)
        try:
            collector.collect(objs)
        except ProtectedError as error:  # the page lists what prevents it
            return [str(obj) for obj in objs], {}, set(), sorted({str(row) for row in error.protected_objects})
        counts = {plural(model): len(rows) for model, rows in collector.data.items()}
        for rows in collector.fast_deletes:
            counts[plural(rows.model)] = counts.get(plural(rows.model), 0) + rows.count()
        refused = {str(self.opts.verbose_name) for obj in objs if not self.has_delete_permission(request, obj)}
        return [str(obj) for obj in objs], counts, refused, []


def as_html(value: object) -> str:
    """A JSON value, as a read-only field shows it."""
    pretty = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre class="overflow-x-auto text-xs whitespace-pre-wrap">{}</pre>', pretty)


def plural(model: type[Model]) -> str:
    return str(model._meta.verbose_name_plural)


class ReadOnlyAdmin(TenantScopedAdmin):
    """A record of what happened. Nobody can add, change or delete its rows here."""

    read_only = True
    may_add = may_change = may_delete = NOBODY

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        """Whether the user may run an action that repeats the work of a row: those in `may_change` may."""
        return self._allows(self.may_change, request, None)


class SuperuserAdmin(TenantScopedAdmin):
    """Rows of the whole installation. Only superusers see them."""

    tenant_path = "pk"  # of no tenant: the roles below are nobody's
    may_view = may_add = may_change = may_delete = NOBODY
