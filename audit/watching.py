"""Recording every change of a model's rows, whichever form, action, request or command makes it.

Through Django's model signals, because `User` and allauth's models aren't ours. They don't notice `QuerySet.update`:
use `update` below.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from .acting import current
from .choices import Action
from .recording import Change, record, words

LONGEST = 2_000  # characters of a value
_is_quiet: ContextVar[bool] = ContextVar("audit_is_quiet", default=False)
_BEFORE = "_audit_before"
_URL = re.compile(r"(https?://)(?:[^\s/@]*@)?([^\s/?#]+)[^\s,]*")


@dataclass(frozen=True)
class Watched:
    """How the changes of a model are recorded.

    hidden: fields of which only the name is recorded, even if no form has them. is_personal: that's all fields, and
    the row is called by its ID, because it's about a customer.
    ignored: fields that forms have, but whose changes say nothing.
    text: the row in words.
    names: what adding, changing or deleting a row is called, from the row and the names of the fields that changed.
    None: it isn't recorded.
    """

    model: type[models.Model]
    tenants: Callable[[Any], Sequence[int | None]]
    hidden: frozenset[str] = frozenset()
    is_personal: bool = False
    ignored: frozenset[str] = frozenset()
    text: Callable[[Any], str] | None = None
    names: Callable[[Action, Any, set[str]], Action | None] = field(default=lambda action, row, changed: action)

    def fields(self) -> "list[models.Field[Any, Any]]":
        """What a form can change. The rest is written by Parley."""
        return [
            each
            for each in self.model._meta.concrete_fields
            if not each.primary_key and (each.editable or each.name in self.hidden) and each.name not in self.ignored
        ]


_watched: dict[type[models.Model], Watched] = {}


def watch(how: Watched) -> None:
    _watched[how.model] = how
    pre_save.connect(_remember, sender=how.model, dispatch_uid="audit")
    post_save.connect(_was_saved, sender=how.model, dispatch_uid="audit")
    post_delete.connect(_was_deleted, sender=how.model, dispatch_uid="audit")
    for relation in how.model._meta.many_to_many:
        m2m_changed.connect(_was_related, sender=relation.remote_field.through, dispatch_uid="audit")


def watched_models() -> Mapping[type[models.Model], Watched]:
    return _watched


@contextmanager
def quietly() -> Iterator[None]:
    """Record nothing in this block: what it does is a part of an action that has an entry of its own."""
    token = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(token)


def update(rows: "models.QuerySet[Any]", **values: object) -> int:
    """`rows.update(**values)`, recorded. Returns the number of rows."""
    model = rows.model
    if _is_off() or model not in _watched:
        return rows.update(**values)
    with transaction.atomic():
        before = {row.pk: row for row in model._base_manager.filter(pk__in=rows.values("pk")).select_for_update()}
        updated = model._base_manager.filter(pk__in=before).update(**values)
        for row in model._base_manager.filter(pk__in=before).order_by("pk"):
            _compare(_watched[model], before[row.pk], row)
    return updated


def _is_off() -> bool:
    return _is_quiet.get() or current() is None


def _remember(sender: type[models.Model], instance: models.Model, raw: bool, **kwargs: Any) -> None:
    """Keep the stored row until the new one is saved."""
    instance.__dict__.pop(_BEFORE, None)
    given = kwargs.get("update_fields")
    names = {each.name for each in _watched[sender].fields()}
    if raw or instance._state.adding or _is_off() or (given is not None and names.isdisjoint(given)):
        return
    instance.__dict__[_BEFORE] = sender._base_manager.filter(pk=instance.pk).first()


def _was_saved(sender: type[models.Model], instance: models.Model, created: bool, raw: bool, **kwargs: Any) -> None:
    how, before = _watched[sender], instance.__dict__.pop(_BEFORE, None)
    if raw or _is_off():
        return
    if created:
        _record(how, Action.CREATED, instance, _changes(how, None, instance))
    elif before is not None:
        given = kwargs.get("update_fields")
        _compare(how, before, instance, None if given is None else set(given))


def _was_deleted(sender: type[models.Model], instance: models.Model, **kwargs: Any) -> None:
    """What was deleted with something else belongs to the entry of that."""
    origin = kwargs.get("origin")
    cause = origin.model if isinstance(origin, models.QuerySet) else type(origin)
    if cause is sender and not _is_off():
        _record(_watched[sender], Action.DELETED, instance, {})


def _was_related(sender: type[models.Model], instance: models.Model, action: str, **kwargs: Any) -> None:
    how, ids = _watched.get(type(instance)), kwargs["pk_set"] or set()
    if how is None or _is_off() or not action.startswith("post_") or (not ids and action != "post_clear"):
        return
    relation = next(each for each in how.model._meta.many_to_many if each.remote_field.through is sender)
    names = ", ".join(sorted(str(row) for row in kwargs["model"]._base_manager.filter(pk__in=ids)))
    change = {"before": "", "after": names} if action == "post_add" else {"before": names, "after": ""}
    _record(how, Action.CHANGED, instance, {relation.name: {"field": str(relation.verbose_name), **change}})


def _compare(how: Watched, before: models.Model, after: models.Model, saved: set[str] | None = None) -> None:
    """saved: the fields that were written, if not all of them."""
    changed = _changes(how, before, after, saved)
    if changed:
        _record(how, Action.CHANGED, after, changed)


def _record(how: Watched, action: Action, row: models.Model, changed: Mapping[str, Change]) -> None:
    name = how.names(action, row, set(changed))
    if name is not None:
        text = how.text or (words if how.is_personal else _quoted)
        record(name, how.tenants(row), row, object=text(row), changes=list(changed.values()))


def _quoted(row: models.Model) -> str:
    kind, row_text = str(row._meta.verbose_name), without_paths(str(row))
    is_only_one = any(each.one_to_one and each.name == "tenant" for each in row._meta.concrete_fields)
    return f"the {kind}" if is_only_one else f"{kind} “{row_text}”"


def _changes(
    how: Watched, before: models.Model | None, after: models.Model, saved: set[str] | None = None
) -> dict[str, Change]:
    found: dict[str, Change] = {}
    for each in how.fields():
        old = getattr(before, each.attname) if before else each.get_default()
        new = getattr(after, each.attname)
        if old == new or (saved is not None and each.name not in saved) or (before is None and new in (None, "", [])):
            continue
        change = {"field": str(each.verbose_name)}
        if not (how.is_personal or each.name in how.hidden):
            change |= {"before": shown(each, before) if before else "", "after": shown(each, after)}
        found[each.name] = change
    return found


def shown(column: "models.Field[Any, Any]", row: models.Model) -> str:
    """A value as people read it."""
    value = getattr(row, column.name)
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if column.choices:
        return str(dict(column.flatchoices).get(value, value))
    text = without_paths(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def without_paths(text: str) -> str:
    """Of URLs, only the host: the rest may be a password, or a secret path."""
    return _URL.sub(r"\1\2/…", text)
