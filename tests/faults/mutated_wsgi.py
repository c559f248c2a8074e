"""`config.wsgi` with the mutant that the environment names."""

from config.wsgi import application
from tests.faults import mutants

__all__ = ["application"]

mutants.apply(mutants.chosen())
