import getpass
import sys
from pathlib import Path

from django.apps import AppConfig

from .acting import Actor, become
from .choices import ActorKind

# Commands that nobody acts with: they do what others asked for, or set up the tables or a demo.
FOR_NOBODY = {"worker", "migrate", "demo", "conformance"}


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        """Whoever runs a command acts in it. Requests name their own users."""
        program, command = Path(sys.argv[0]).name, "".join(sys.argv[1:2])
        if program == "manage.py" and command not in FOR_NOBODY:
            become(Actor(ActorKind.COMMAND, f"manage.py {command} ({_user()})"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown user"
