"""`config.wsgi` with the mutant named in the environment."""

from config.wsgi import application
from tests.faults import mutants

__all__ = ["application"]

mutants.apply(mutants.chosen())
