"""The pages where an invitee accepts: behind a link, and after signing in."""

from django.contrib import admin, messages
from django.contrib.auth import login
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from audit.acting import acting
from runtime.row_security.scope import all_businesses
from tenants.models import Invitation
from tenants.users import actor_of, user_of

from . import inviting
from .forms import FirstPasswordForm


@sensitive_post_parameters("new_password1", "new_password2")
@never_cache
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """A new account for someone who has none with this address. Others sign in and accept there."""
    invitation = inviting.find(token)
    context = {**admin.site.each_context(request), "invitation": invitation}
    if invitation is None:
        return render(request, "tenants/invitation.html", context, status=404)
    with all_businesses():
        is_theirs = Invitation.objects.addressed_to(request.user).filter(pk=invitation.pk).exists()
    if is_theirs:
        return redirect("admin:index")
    if inviting.account_of(invitation.email):
        return render(request, "tenants/invitation.html", {**context, "has_account": True})
    # The name is part of the password's check: it mustn't resemble it.
    user = User(username=inviting.free_username(invitation.email), is_staff=True)
    form = FirstPasswordForm(user, request.POST or None)
    if form.is_valid():
        user.set_password(form.cleaned_data["new_password1"])
        with acting(lambda: actor_of(request, user)):
            is_member = inviting.accept_with_new_account(token, user)
        if is_member:
            login(request, user, backend=f"{ModelBackend.__module__}.{ModelBackend.__qualname__}")
            messages.success(request, f"Welcome to {invitation.tenant}. Your username is {user.get_username()}.")
            return redirect("home")
        return redirect(request.path)
    return render(request, "tenants/invitation.html", {**context, "form": form})


@login_required
@require_POST
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept or decline an invitation that is addressed to the signed-in user."""
    user = user_of(request)
    if request.POST.get("answer") == "accept":
        membership = inviting.accept(pk, user)
        if membership is None:
            raise Http404
        messages.success(request, f"You're now a member of {membership.tenant}.")
    elif not inviting.decline(pk, user):
        raise Http404
    return redirect("home")
