"""Who acts, and what they do."""

from django.db.models import TextChoices


class ActorKind(TextChoices):
    PERSON = "person", "Person"
    API_KEY = "api_key", "API key"
    ADMIN_TOKEN = "admin_token", "Admin token"
    COMMAND = "command", "Command line"
    NOBODY = "nobody", "Not signed in"


class Action(TextChoices):
    SIGNED_IN = "signed_in", "signed in"
    SIGN_IN_FAILED = "sign_in_failed", "failed to sign in"
    SIGNED_OUT = "signed_out", "signed out"
    SESSIONS_ENDED = "sessions_ended", "ended other sessions"
    PASSWORD_CHANGED = "password_changed", "changed the password"
    FACTOR_ADDED = "factor_added", "added a second factor"
    FACTOR_REMOVED = "factor_removed", "removed a second factor"
    FACTORS_RESET = "factors_reset", "reset two-factor authentication"
    CODES_GENERATED = "codes_generated", "generated recovery codes"
    READ = "read", "read"
    EXPORTED = "exported", "exported"
    TOOK_OVER = "took_over", "took over"
    HANDED_BACK = "handed_back", "handed back"
    CREATED = "created", "added"
    CHANGED = "changed", "changed"
    DELETED = "deleted", "deleted"
    KEY_CREATED = "key_created", "generated a key"
    KEY_REVOKED = "key_revoked", "revoked a key"
    INVITED = "invited", "invited"
    INVITATION_RENEWED = "invitation_renewed", "renewed an invitation"
    INVITATION_WITHDRAWN = "invitation_withdrawn", "withdrew an invitation"
    INVITATION_ACCEPTED = "invitation_accepted", "accepted an invitation"
    INVITATION_DECLINED = "invitation_declined", "declined an invitation"
    MEMBER_ADDED = "member_added", "added a member"
    MEMBER_REMOVED = "member_removed", "removed a member"
    ROLE_CHANGED = "role_changed", "changed a role"
    PERSON_ERASED = "person_erased", "erased a person"
    BUSINESS_SUSPENDED = "business_suspended", "suspended a business"
    BUSINESS_RESUMED = "business_resumed", "resumed a business"
    BUSINESS_DELETED = "business_deleted", "deleted a business"
