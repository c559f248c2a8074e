"""The database's functions for search. They do what `runtime.words` does; a test compares the two."""

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, Func, TextField


class Folded(Func):
    """A text as it's compared: see `runtime.words.fold`."""

    function = "search_fold"
    arity = 1
    output_field = TextField()


class FoldedName(Func):
    """The same for a column. Most names are ASCII, and don't need the function."""

    template = (
        "CASE WHEN octet_length(%(expressions)s) = length(%(expressions)s)"
        """ THEN lower(%(expressions)s COLLATE "C") ELSE search_fold(%(expressions)s) END"""
    )
    arity = 1
    output_field = TextField()


class Words(Func):
    """The words of a text as a tsvector: see `runtime.words.index_words`."""

    function = "search_words"
    arity = 1
    output_field = SearchVectorField()


class Match(Func):
    """Whether a tsvector matches a tsquery that is given as text. Nothing in it is parsed again, unlike by
    to_tsquery(), which has its own idea of what a word is."""

    template = "(%(expressions)s::tsquery)"
    arg_joiner = " @@ "
    arity = 2
    output_field = BooleanField()


class RecallWords(Func):
    """What recall looks for in a message: its conversation, as `#ID`, and its words, the longer ones as `lette~`."""

    template = "recall_words(conversation_id, text || ' ' || spoken)"
    arity = 0
    output_field = SearchVectorField()
