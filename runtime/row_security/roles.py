"""The database roles and what each may do. This is the only place that grants anything.

The *owner* migrates. The *app* role runs Parley: it can only read and write rows. For a statement that doesn't see all
businesses, it takes on the role `parley_scoped`, to which the policies apply.
"""

import secrets
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import connection, transaction
from psycopg.sql import SQL, Identifier, Literal

from . import policies
from .scope import ROLE

_ROWS = "SELECT, INSERT, UPDATE, DELETE"
# The role that migrates owns the tables, and superusers own everything.
_GRANTEES = """
SELECT r.rolname FROM pg_roles r WHERE r.rolname = %(scoped)s OR (
    r.rolname <> current_user AND NOT r.rolsuper
    AND has_database_privilege(r.oid, current_database(), 'CONNECT')
    AND EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid = %(scoped)s::regrole))
"""
# What is in the schema, by kind and name: all that isn't an extension's, and doesn't follow its table, as indexes and
# the sequences of columns do.
OBJECTS = """
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
    c.oid::regclass::text
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
UNION ALL
SELECT 'ROUTINE', p.oid::regprocedure::text
FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'TYPE', t.oid::regtype::text
FROM pg_type t WHERE t.typnamespace = current_schema()::regnamespace AND t.typelem = 0
    AND COALESCE((SELECT c.relkind FROM pg_class c WHERE c.oid = t.typrelid), 'c') = 'c'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
"""


def protect(apps: Apps = current_apps) -> bool:
    """After migrating, as the owner: the policies of all tables, and the rights of our roles. False if it can't create
    the role that the policies are for; then a superuser has to, once, with `create_database_roles`.
    """
    with transaction.atomic():
        if not _exists(ROLE):
            if not _rows("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")[0][0]:
                return False
            _create_scoped_role()
        policies.apply(apps)
        _grant()
    return True


def create(owner: str, app: str) -> dict[str, str]:
    """As a superuser, make the roles of this database, and the owner the owner of everything in it.

    Returns the new roles' passwords, by name. Existing roles keep theirs.
    """
    passwords = {}
    with transaction.atomic():
        if not _exists(ROLE):
            _create_scoped_role()
        for role in (owner, app):
            if not _exists(role):
                passwords[role] = secrets.token_urlsafe(24)
                _do("CREATE ROLE {} LOGIN PASSWORD {}", Identifier(role), Literal(passwords[role]))
        # With INHERIT, the policies would always apply to it, and workers would find nothing.
        _do("ALTER ROLE {} NOINHERIT", Identifier(app))
        for role in (owner, app):
            _do("GRANT {} TO {}", Identifier(ROLE), Identifier(role))
        ((database, is_superuser),) = _rows(
            "SELECT current_database(), rolsuper FROM pg_roles WHERE rolname = current_user"
        )
        if not is_superuser:  # who gives something away has to be a member of the role that gets it
            _do("GRANT {} TO CURRENT_USER", Identifier(owner))
        _do("REVOKE ALL ON DATABASE {} FROM PUBLIC", Identifier(database))
        _do("GRANT CONNECT ON DATABASE {} TO {}", Identifier(database), Identifier(app))
        _do("ALTER DATABASE {} OWNER TO {}", Identifier(database), Identifier(owner))
        for kind, name in _rows(OBJECTS):
            _do(f"ALTER {kind} {name} OWNER TO {{}}", Identifier(owner))
        if _rows("SELECT to_regclass('tenants')")[0][0]:  # else `migrate` does it
            _do("SET LOCAL ROLE {}", Identifier(owner))
            policies.apply()
            _grant()
    return passwords


def _create_scoped_role() -> None:
    # It's the server's, not the database's: another database may be creating it too.
    _do(
        "DO $$ BEGIN CREATE ROLE {}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        Identifier(ROLE),
    )
    if not _rows("SELECT pg_has_role(current_user, %s, 'MEMBER')", ROLE)[0][0]:
        _do("GRANT {} TO CURRENT_USER", Identifier(ROLE))


def _grant() -> None:
    tables = {
        name
        for (name,) in _rows(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
            " AND c.relkind IN ('r', 'p', 'v') AND pg_has_role(c.relowner, 'USAGE')"
        )
    }
    append_only = append_only_tables()
    ((schema,),) = _rows("SELECT current_schema()")
    for (role,) in _rows(_GRANTEES, scoped=ROLE):
        _do("GRANT USAGE ON SCHEMA {} TO {}", Identifier(schema), Identifier(role))
        _do("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {} TO {}", Identifier(schema), Identifier(role))
        for names, rights in ((tables - append_only, _ROWS), (tables & append_only, "SELECT, INSERT")):
            if names:
                listed = SQL(", ").join(map(Identifier, sorted(names)))
                _do("REVOKE ALL ON {} FROM {}", listed, Identifier(role))
                _do(f"GRANT {rights} ON {{}} TO {{}}", listed, Identifier(role))


def append_only_tables() -> set[str]:
    """Those whose rows are never changed."""
    return {model._meta.db_table for model in current_apps.get_models() if getattr(model, "append_only", False)}


def _exists(role: str) -> bool:
    return bool(_rows("SELECT FROM pg_roles WHERE rolname = %s", role))


def _rows(sql: str, *values: str, **named: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, named or values or None)
        return list(cursor.fetchall())


def _do(sql: str, *parts: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SQL(sql).format(*parts))
