"""Users and groups. allauth's tables have no pages: people manage their own factors and sessions under /account/."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tenants.access import is_installation_admin, tenants_of
from tenants.models import Membership
from tenants.scoped_admin import SuperuserAdmin

from . import two_factor
from .reauthentication import recently_required

admin.site.unregister([User, Group])
admin.site.unregister([EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession])
recently = method_decorator(recently_required)


@admin.register(User)
class UserAdmin(SuperuserAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    """Only superusers see the list. Other users may choose from the members of their own businesses.

    A user may work for several businesses, so none of them can change an account, or remove its second factor.
    """

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "first_name", "last_name", "is_staff", "is_superuser", "last_login"]
    actions = ["reset_two_factor"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        if is_installation_admin(request.user):
            return super().get_queryset(request)
        colleagues = Membership.objects.filter(tenant__in=tenants_of(request.user)).values("user")
        return User.objects.filter(pk__in=colleagues)

    @recently
    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().change_view(request, *args, **kwargs)

    @recently
    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():  # with its entry in the audit log
            return super().user_change_password(request, *args, **kwargs)

    @admin.action(description="Reset two-factor authentication and end all sessions", permissions=["change"])
    @recently
    def reset_two_factor(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        if not self.has_change_permission(request):
            raise PermissionDenied
        for user in users:
            two_factor.reset(user)
        names = ", ".join(users.values_list("username", flat=True))
        messages.success(request, f"Two-factor authentication was reset for {names}.")
        return None


@admin.register(Group)
class GroupAdmin(SuperuserAdmin, DjangoGroupAdmin):
    pass
