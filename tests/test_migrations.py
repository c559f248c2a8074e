"""Every migration since the last release can be applied while the release's code runs: it only adds.

A migration that breaks a rule for a good reason names it: `reviewed = "why old code keeps working"` in its class.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

RELEASES = Path(__file__).parent / "releases"
TAKES_AWAY = (
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.AlterModelTable,
)


def released() -> set[str]:
    newest = max(RELEASES.glob("*/manifest.json"), key=lambda file: [int(part) for part in file.parent.name.split(".")])
    return set(json.loads(newest.read_text())["migrations"])


def problems(operation: Operation, app: str, before: ProjectState, old: set[tuple[str, str]]) -> Iterator[str]:
    """old: the models of the last release, whose tables have rows."""
    if isinstance(operation, TAKES_AWAY):
        yield "takes away what old code uses"
    elif isinstance(operation, operations.AddField):
        field = operation.field
        if not (field.null or field.many_to_many or field.has_db_default()):
            yield f"{operation.name} is NOT NULL without db_default: old code can't insert rows"
    elif isinstance(operation, operations.AlterField):
        yield from _altered(operation, app, before)
    elif isinstance(operation, operations.AddIndex) and (app, operation.model_name_lower) in old:
        if not isinstance(operation, AddIndexConcurrently):
            yield f"{operation.index.name} blocks all writes while it's built: use AddIndexConcurrently"
    elif isinstance(operation, operations.AddConstraint) and (app, operation.model_name_lower) in old:
        yield f"{operation.constraint.name}: old code may break it, and its check locks the table"
    elif isinstance(operation, operations.RunSQL | operations.RunPython) and not operation.reversible:
        yield "can't be reversed"


def _altered(operation: operations.AlterField, app: str, before: ProjectState) -> Iterator[str]:
    former = before.models[app, operation.model_name_lower].fields[operation.name]
    field = operation.field
    if former.null and not field.null:
        yield f"{operation.name} becomes NOT NULL"
    if type_of(former) == type_of(field):
        return
    is_text = isinstance(former, models.CharField | models.TextField) and isinstance(
        field, models.CharField | models.TextField
    )
    if not (is_text and (field.max_length or 10**9) >= (former.max_length or 10**9)):
        yield f"{operation.name} changes its type, which rewrites the table"


def type_of(field: "models.Field[object, object]") -> str | None:
    return field.db_type(connection)


def found(app: str, migration: Migration, state: ProjectState, old: set[tuple[str, str]]) -> Iterator[str]:
    """The problems of a migration. Moves the state past it."""
    for operation in migration.operations:
        if not hasattr(migration, "reviewed"):
            for problem in problems(operation, app, state, old):
                yield f"{app}.{migration.name}: {problem}"
        operation.state_forwards(app, state)


def test_old_code_keeps_running_on_the_new_schema() -> None:
    loader, known = MigrationLoader(None), released()
    ours = {app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR} - {"sandbox"}
    plan = loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True)
    state = ProjectState(real_apps=loader.unmigrated_apps)
    old: set[tuple[str, str]] = set()
    broken: list[str] = []
    for app, name in sorted(plan, key=lambda key: ".".join(key) not in known):
        migration = loader.graph.nodes[app, name]
        if ".".join((app, name)) in known or app not in ours:
            state = migration.mutate_state(state, preserve=False)
            old |= set(state.models) if ".".join((app, name)) in known else set()
        else:
            broken += found(app, migration, state, old)
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("operation", "is_fine"),
    [
        (operations.AddField("lead", "x", models.IntegerField(null=True)), True),
        (operations.AddField("lead", "x", models.IntegerField(default=0, db_default=0)), True),
        (operations.AddField("lead", "x", models.IntegerField(default=0)), False),
        (operations.RemoveField("lead", "name"), False),
        (operations.RenameField("lead", "name", "title"), False),
        (operations.DeleteModel("lead"), False),
        (operations.AlterField("lead", "name", models.TextField()), True),
        (operations.AlterField("lead", "name", models.CharField(max_length=2)), False),
        (operations.AlterField("lead", "name", models.IntegerField()), False),
        (operations.AddIndex("lead", models.Index(fields=["name"], name="x")), False),
        (AddIndexConcurrently("lead", models.Index(fields=["name"], name="x")), True),
        (operations.AddConstraint("lead", models.UniqueConstraint(fields=["name"], name="x")), False),
        (operations.RunSQL("SELECT 1", "SELECT 1"), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Operation) else str(value),
)
def test_what_breaks_old_code_is_found(operation: Operation, is_fine: bool) -> None:
    state = MigrationLoader(None).project_state()
    assert (not list(problems(operation, "leads", state, {("leads", "lead")}))) == is_fine
