"""Entries as people read them: “Ana changed the assistant: temperature 0.7 → 0.3”."""

from .choices import Action
from .models import AuditEntry

SHORT = 60  # characters of a value in a sentence
VERBS = {
    Action.SIGN_IN_FAILED: "failed to sign in {}",
    Action.INVITATION_RENEWED: "renewed the invitation of {}",
    Action.INVITATION_WITHDRAWN: "withdrew the invitation of {}",
    Action.INVITATION_ACCEPTED: "accepted the invitation of {}",
    Action.INVITATION_DECLINED: "declined the invitation of {}",
    Action.MEMBER_ADDED: "added {} as a member",
    Action.MEMBER_REMOVED: "removed the member {}",
    Action.ROLE_CHANGED: "changed the role of {}",
    Action.KEY_CREATED: "generated the {}",
    Action.KEY_REVOKED: "revoked the {}",
    Action.PERSON_ERASED: "erased the customer of {}",
    Action.BUSINESS_SUSPENDED: "suspended the {}",
    Action.BUSINESS_RESUMED: "resumed the {}",
    Action.BUSINESS_DELETED: "deleted the {}",
    Action.FACTOR_ADDED: "added a second factor: {}",
    Action.FACTOR_REMOVED: "removed a second factor: {}",
    Action.FACTORS_RESET: "reset the two-factor authentication of {}",
    Action.PASSWORD_CHANGED: "changed the password of {}",
}
# The rest is said by the verb.
WITH_CHANGES = {Action.CREATED, Action.CHANGED, Action.ROLE_CHANGED, Action.MEMBER_ADDED}


def sentence(entry: AuditEntry) -> str:
    """Without who it was."""
    action = Action(entry.action)
    text = VERBS.get(action, f"{action.label} {{}}").format(entry.object).strip()
    changes = [changed(**each) for each in entry.changes] if action in WITH_CHANGES else []
    return f"{text}: {'; '.join(changes)}" if changes else text


def changed(field: str, before: str | None = None, after: str | None = None) -> str:
    """One field of a change, with the part of a long text in which it differs."""
    if before is None or after is None:
        return f"{field} (not shown)"
    start = next((i for i, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), 0)
    start = max(0, start - SHORT // 3)
    if not before:
        return f"{field} {_part(after, 0)}"
    return f"{field} {_part(before, start)} → {_part(after, start) or 'empty'}"


def _part(text: str, start: int) -> str:
    if len(text) <= SHORT:
        return " ".join(text.split())
    part = text[start : start + SHORT]
    return f"{'…' if start else ''}{' '.join(part.split())}{'…' if start + SHORT < len(text) else ''}"
