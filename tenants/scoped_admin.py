"""The base of every admin of ours: rows, choices, filters and actions of the person's own tenants, and no others."""

import functools
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import router
from django.db.models import ForeignKey, Model, ProtectedError, QuerySet, URLField
from django.db.models.deletion import Collector
from django.http import HttpRequest
from unfold.admin import ModelAdmin as UnfoldModelAdmin

from .access import (
    ANYONE,
    NOBODY,
    OWNERS,
    Roles,
    for_user,
    has_role,
    has_role_anywhere,
    is_installation_admin,
    names_secret,
    tenant_id_of,
)
from .empty_states import EmptyState
from .models import Tenant
from .paginator import InfinitePaginator
from .secret_fields import SecretField, SecretsForm, secret_names

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = UnfoldModelAdmin


class ScopedRelatedFilter(admin.RelatedFieldListFilter):
    """A filter by a related row that offers only the rows its own admin would list."""

    @property
    def include_empty_choice(self) -> bool:
        # Rows of no tenant are for superusers; with one tenant there is nothing to filter by.
        of_tenant = self.field.related_model is Tenant
        return bool(self.field.null) and (not of_tenant or is_installation_admin(self.request.user))

    def field_choices(self, field: Any, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[Any]:
        choices = visible_rows(model_admin.admin_site, field.remote_field.model, request)
        ordering = self.field_admin_ordering(field, request, model_admin)
        found: list[Any] = field.get_choices(
            include_blank=False, ordering=ordering, limit_choices_to={"pk__in": choices.values("pk")}
        )
        return found


def visible_rows(site: admin.AdminSite, model: type[Model], request: HttpRequest) -> "QuerySet[Any]":
    """The rows of a model that the person may choose from: those of its admin, none where it has none."""
    if not site.is_registered(model):
        return model._default_manager.none()
    return site.get_model_admin(model).get_queryset(request)


class TenantScopedAdmin(ModelAdmin):
    """An admin whose rows belong to tenants, reached from the row by `tenant_path`.

    Superusers see all rows. Everybody else sees the rows of the tenants they are members of, and does there
    what their role allows: `may_view`, `may_add`, `may_change`, `may_delete`. Django's own model permissions
    are not asked: a membership is the permission. `evidence` is read-only, for superusers too.
    """

    tenant_path: ClassVar[str] = "tenant"
    may_view: ClassVar[Roles] = ANYONE
    may_add: ClassVar[Roles] = OWNERS
    may_change: ClassVar[Roles] = OWNERS
    may_delete: ClassVar[Roles] = OWNERS
    evidence: ClassVar[bool] = False
    nothing_yet: ClassVar[str] = ""  # what the list says where there is none: when one comes, or what to do

    form = SecretsForm
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    list_filter_submit = True
    show_full_result_count = False
    paginator = InfinitePaginator
    compressed_fields = True

    # --- rows ---

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        return for_user(super().get_queryset(request), request.user, self.tenant_path, self.may_view)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        changes.empty_state = functools.partial(self.empty_state, request)  # type: ignore[attr-defined]
        return changes

    def empty_state(self, request: HttpRequest) -> EmptyState:
        return EmptyState(f"No {plural(self.model)} yet", self.nothing_yet)

    def changeable(self, request: HttpRequest, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """Of these rows, those that the person may change."""
        return for_user(rows, request.user, self.tenant_path, self.may_change)

    # --- permissions: the role decides ---

    def has_module_permission(self, request: HttpRequest) -> bool:
        return has_role_anywhere(request.user, self.may_view)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allows(self.may_view, request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not self.evidence and has_role_anywhere(request.user, self.may_add)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.evidence and self._allows(self.may_change, request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.evidence and self._allows(self.may_delete, request, obj)

    def _allows(self, roles: Roles, request: HttpRequest, obj: Any) -> bool:
        if not isinstance(obj, Model):
            return has_role_anywhere(request.user, roles)
        return has_role(request.user, roles, tenant_id_of(obj, self.tenant_path))

    # --- choices, filters, lookups ---

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any]", request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self.choices_of(db_field, request))
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field and db_field.name == self.tenant_path and not is_installation_admin(request.user):
            field.required = True  # a row of no tenant is for superusers
        return field

    def choices_of(self, db_field: "ForeignKey[Any]", request: HttpRequest) -> "QuerySet[Any]":
        model = db_field.remote_field.model
        rows = visible_rows(self.admin_site, model, request)
        if db_field.name == self.tenant_path:
            return for_user(rows, request.user, "pk", self.may_change | self.may_add)
        return rows

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in secret_names(self.model):
            return SecretField(label=db_field.verbose_name.capitalize(), help_text=db_field.help_text)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [self._scoped_filter(name) for name in super().get_list_filter(request)]

    def _scoped_filter(self, name: Any) -> Any:
        if not isinstance(name, str):
            return name
        *steps, last = name.split("__")
        model: Any = self.model
        for step in steps:
            model = model._meta.get_field(step).related_model
        return (name, ScopedRelatedFilter) if model._meta.get_field(last).is_relation else name

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        if names_secret(lookup, secret_names(self.model)):
            return False
        return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[arg-type]

    # --- the form: who may not write a secret sees only whether it is set (`<name>_state`) ---

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        writes = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        secrets = secret_names(self.model)
        hidden = [f"{name}_state" for name in secrets] if writes else secrets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in hidden]})
            for title, options in fieldsets
        ]

    # --- writing: the last word, whatever way a form or an action came ---

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        roles = self.may_change if change else self.may_add
        if change and not self.changeable(request, self.get_queryset(request)).filter(pk=obj.pk).exists():
            raise PermissionDenied
        if self.tenant_path != "pk" and not self._allows(roles, request, obj):
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def response_action(self, request: HttpRequest, queryset: "QuerySet[Any]", *args: Any, **kwargs: Any) -> Any:
        action = self.get_actions(request).get(request.POST.get("action", ""))
        reads = action is not None and "view" in getattr(action[0], "allowed_permissions", ())
        rows = queryset if reads else self.changeable(request, queryset)
        return super().response_action(request, rows, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        if not self.has_delete_permission(request, obj):
            raise PermissionDenied
        super().delete_model(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with these rows, as numbers: a conversation may have 100,000 messages."""
        collector = Collector(using=router.db_for_write(self.model), origin=objs)
        try:
            collector.collect(objs)
        except ProtectedError as error:  # the page says what stands in the way
            return [str(obj) for obj in objs], {}, set(), sorted({str(row) for row in error.protected_objects})
        counts = {plural(model): len(rows) for model, rows in collector.data.items()}
        for rows in collector.fast_deletes:
            counts[plural(rows.model)] = counts.get(plural(rows.model), 0) + rows.count()
        refused = {str(self.opts.verbose_name) for obj in objs if not self.has_delete_permission(request, obj)}
        return [str(obj) for obj in objs], counts, refused, []


def plural(model: type[Model]) -> str:
    return str(model._meta.verbose_name_plural)


class ReadOnlyAdmin(TenantScopedAdmin):
    """Rows that tell what happened: nobody adds, changes or deletes them here."""

    evidence = True
    may_add = may_change = may_delete = NOBODY


class SuperuserAdmin(TenantScopedAdmin):
    """Rows of the whole installation: for superusers."""

    may_view = may_add = may_change = may_delete = NOBODY

    def _allows(self, roles: Any, request: HttpRequest, obj: Any) -> bool:
        return is_installation_admin(request.user)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows = super(TenantScopedAdmin, self).get_queryset(request)
        return rows if is_installation_admin(request.user) else rows.none()

    def changeable(self, request: HttpRequest, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        return rows if is_installation_admin(request.user) else rows.none()
