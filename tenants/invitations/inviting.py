"""Inviting someone to a business, and accepting it.

An invitation is for one email address and one business. Whoever has an account with that address accepts after signing
in. Anyone else opens a link, which creates a new account and never opens or changes an existing one. The link is sent
to the address if email is configured; otherwise the inviter passes it on.
"""

import hashlib
import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models.functions import Now
from django.urls import reverse

from audit.choices import Action
from audit.recording import record
from audit.watching import quietly
from runtime import jobs
from runtime.clock import from_now
from runtime.row_security.scope import all_businesses
from tenants.models import Invitation, Membership, Tenant, normalized

EMAIL_TASK = "tenants.tasks.email_invitation"
VALID_SECONDS = 7 * 86_400
USERNAME_LENGTH = 140  # of at most 150 characters: the rest makes it unique


def account_of(email: str) -> User | None:
    """The account whose confirmed address this is."""
    # PostgreSQL's `iexact` also matches letters that only look like the same one in upper case, such as "ı" and "i".
    found = User.objects.filter(email__iexact=email).order_by("pk")
    return next((user for user in found if normalized(user.email) == email), None)


def invite(invitation: Invitation) -> str:
    """Save an invitation, in place of an earlier one. Returns the link to pass on; "" if there's none."""
    with transaction.atomic():
        Tenant.objects.select_for_update(no_key=True).get(pk=invitation.tenant_id)  # the form may be sent twice
        with quietly():
            Invitation.objects.filter(tenant=invitation.tenant, email=invitation.email).delete()
        return renew(invitation)


def renew(invitation: Invitation) -> str:
    """Save an invitation with a new link and a new expiry date. Returns the link to pass on; "" if there's none.

    With email configured, only the address's owner gets the link. An account's owner needs none.
    """
    account, action = account_of(invitation.email), Action.INVITATION_RENEWED if invitation.pk else Action.INVITED
    invitation.expires_at = from_now(VALID_SECONDS)
    invitation.by_email, invitation.emailed_at = bool(settings.EMAIL_URL), None
    link = "" if account or invitation.by_email else new_link(invitation)
    if not link:
        invitation.token_hash = None
    with transaction.atomic(), quietly():
        if account and not account.is_staff:  # only staff can sign in to the admin, where they accept
            account.is_staff = True
            account.save(update_fields=["is_staff"])
        invitation.save()
        if invitation.by_email:
            jobs.defer(EMAIL_TASK, {"invitation_id": invitation.pk})
        record(action, [invitation.tenant_id], invitation, object=offer(invitation))
    return link


def offer(invitation: Invitation) -> str:
    return f"{invitation.email} as {invitation.role}"


def new_link(invitation: Invitation) -> str:
    """The invitation's new link. It can't be recovered later."""
    token = secrets.token_urlsafe(32)
    invitation.token_hash = _hash(token)
    return f"{settings.PUBLIC_URL}{reverse('invitation', args=[token])}"


def new_email(invitation_id: int) -> EmailMessage | None:
    """The email with a new link; None if the invitation is gone, expired or already sent."""
    with transaction.atomic():
        waiting = Invitation.objects.valid().filter(pk=invitation_id, by_email=True, emailed_at=None)
        invitation = waiting.select_related("tenant").select_for_update(of=("self",)).first()
        if invitation is None:
            return None
        link = new_link(invitation)
        invitation.save(update_fields=["token_hash"])
    return EmailMessage(
        f"{invitation.tenant} invited you to Parley",
        f"{invitation.tenant} invited you to its team on Parley.\n\nAccept the invitation within a week:\n{link}\n\n"
        "If you didn't expect this, ignore this email.\n",
        to=[invitation.email],
    )


def email_was_sent(invitation_id: int) -> None:
    Invitation.objects.filter(pk=invitation_id).update(emailed_at=Now())


@all_businesses()  # an invitee is no member yet
def find(token: str) -> Invitation | None:
    """The valid invitation of a link."""
    return Invitation.objects.valid().select_related("tenant").filter(token_hash=_hash(token)).first()


def free_username(email: str) -> str:
    """The address itself, unless an account has that name: its creator needn't own the address."""
    name = email[:USERNAME_LENGTH]
    return f"{name}-{secrets.token_hex(3)}" if User.objects.filter(username__iexact=name).exists() else name


@all_businesses()
def accept_with_new_account(token: str, user: User) -> bool:
    """Save a new user, who becomes a member. False if the link no longer works, or the address has an account now."""
    with transaction.atomic():
        invitation = Invitation.objects.valid().select_for_update(of=("self",)).filter(token_hash=_hash(token)).first()
        if invitation is None or account_of(invitation.email):
            return False
        user.username = free_username(invitation.email)
        if invitation.by_email:
            user.email = invitation.email
        with quietly():
            user.save()
        _join(invitation, user)
    return True


@all_businesses()
def create_invited(email: str, first_name: str, last_name: str) -> User | None:
    """An account without a password for a confirmed address, if it was invited. Its owner then accepts in the admin."""
    with transaction.atomic():
        if not Invitation.objects.valid().select_for_update(of=("self",)).filter(email=email).exists():
            return None
        # Someone else may have created it while we waited.
        if account := account_of(email):
            return account
        user = User(username=free_username(email), email=email, is_staff=True)
        user.first_name, user.last_name = first_name, last_name
        user.set_unusable_password()
        user.save()
    return user


@all_businesses()
def accept(invitation_id: int, user: User) -> Membership | None:
    """Make the user a member. None if the invitation is gone or isn't addressed to them."""
    with transaction.atomic():
        mine = Invitation.objects.addressed_to(user).select_for_update(of=("self",))
        invitation = mine.filter(pk=invitation_id).first()
        return _join(invitation, user) if invitation else None


@all_businesses()
def decline(invitation_id: int, user: User) -> bool:
    """False if the invitation is gone or isn't addressed to them."""
    with transaction.atomic(), quietly():
        invitation = Invitation.objects.addressed_to(user).filter(pk=invitation_id).first()
        if invitation is None:
            return False
        record(Action.INVITATION_DECLINED, [invitation.tenant_id], invitation, object=offer(invitation))
        return bool(invitation.delete()[0])


def _join(invitation: Invitation, user: User) -> Membership:
    with quietly():
        if not user.is_staff:  # only staff can sign in to the admin
            user.is_staff = True
            user.save(update_fields=["is_staff"])
        membership, _ = Membership.objects.get_or_create(
            user=user, tenant=invitation.tenant, defaults={"role": invitation.role}
        )
        record(Action.INVITATION_ACCEPTED, [invitation.tenant_id], invitation, object=offer(invitation))
        invitation.delete()
    return membership


def _hash(token: str) -> str:
    # A fast hash is enough: 256 random bits can't be guessed.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
