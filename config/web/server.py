"""The web server: gunicorn's thread worker, but a thread is only used once a whole request has arrived.

The main thread reads requests and writes what's left of responses, without blocking, under one deadline for all of
it. So a slow client costs a connection, not a thread. docs/adr/0005-web-server.md has the reasons and the figures.
"""

import errno
import json
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus

from django.conf import settings
from gunicorn.http import wsgi
from gunicorn.workers.gthread import ThreadWorker

from runtime.processes import counters, stopping

from . import limits
from .connection import READ, Connection, Refused

CHECK_SECONDS = 0.25  # how often deadlines are looked at
LINGER_SECONDS = 2.0  # how long the client may take to read the last response before the connection is closed
TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
NOTHING_TO_ACCEPT = (errno.EAGAIN, errno.ECONNABORTED)
CLIENT_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
Step = Callable[[Connection], None]


class Server(ThreadWorker):  # type: ignore[misc]
    def init_process(self) -> None:
        self.reserved_pool = ThreadPoolExecutor(settings.WEBHOOK_THREADS, "webhook")
        self.waiting: dict[Connection, Step] = {}  # for the client, longest first; what to do when it's ready
        self.checked_at = 0.0
        self.stops_at: float | None = None
        counters.save_forever()
        super().init_process()

    # --- a request arrives ---

    def accept(self, listener: socket.socket) -> bool:
        """Whether there may be more to accept."""
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in TOO_MANY_FILES:
                self.close_longest_waiting()
            elif error.errno not in NOTHING_TO_ACCEPT:
                raise
            return False
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self.close_longest_waiting()
        connection = Connection(accepted, client, listener.getsockname())
        self.wait(connection, selectors.EVENT_READ, self.receive, settings.WEB_REQUEST_SECONDS)
        return True

    def receive(self, connection: Connection) -> None:
        if connection.requests and not connection.has_begun:
            connection.deadline = time.monotonic() + settings.WEB_REQUEST_SECONDS
        if connection.receive():
            self.advance(connection)
        elif connection.has_begun:
            self.refuse(connection, Refused(400, "The request was cut short."))
        else:
            self.drop(connection)

    def advance(self, connection: Connection, body_limit: int | None = None) -> None:
        """As far as what has arrived allows; the limit is given once, when it's known."""
        try:
            if connection.request is None:
                if not connection.read_head(self.cfg):
                    return
                limit = limits.body_limit(connection.path)
                if connection.length > limit.anyone and limit.signed_in > limit.anyone:
                    self.stop_waiting(connection)
                    self.submit(self.tpool, self.may_upload, connection, partial(self.upload_checked, limit.signed_in))
                    return
                body_limit = limit.anyone
            if body_limit is not None:
                connection.accept_body(body_limit)
            if not connection.read_body():
                return
        except Refused as refused:
            self.refuse(connection, refused)
        except Exception as error:  # noqa: BLE001 - gunicorn's errors have no common base; it answers them all
            self.handle_error(None, connection.sock, connection.client, error)
            self.close_gently(connection)
        else:
            self.stop_waiting(connection)
            connection.complete()
            reserved = connection.path in limits.RESERVED
            pool = self.reserved_pool if reserved else self.tpool
            self.submit(pool, self.handle, connection, self.responded)

    def may_upload(self, connection: Connection) -> bool:
        """In a thread: whether the application knows who sends this, before the body is read."""
        _, environ = wsgi.create(connection.request, connection.sock, connection.client, connection.server, self.cfg)
        check = getattr(self.wsgi, "may_upload", None)
        return bool(check and check(environ))

    def upload_checked(self, limit: int, connection: Connection, future: "Future[bool]") -> None:
        if error := future.exception():
            self.log.error("An upload couldn't be checked.", exc_info=error)
            self.refuse(connection, Refused(503, "Try again later."))
            return
        self.wait(connection, selectors.EVENT_READ, self.receive, limits.seconds_for(connection.length))
        self.advance(connection, limit if future.result() else limits.BODY)

    def refuse(self, connection: Connection, refused: Refused) -> None:
        self.log.warning("Refused a request from %s: %s %s", connection.client, refused.status, refused.detail)
        body = json.dumps({"detail": refused.detail}).encode()
        head = (
            f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            connection.sock.sendall(head.encode() + body)
        except OSError:
            self.drop(connection)
        else:
            self.close_gently(connection)

    # --- a thread answers it ---

    def handle(self, connection: Connection) -> bool:
        """In a thread. Whether the connection can be kept."""
        try:
            keep_alive = bool(self.handle_request(connection.request, connection))
            connection.sock.flush()
            return keep_alive
        except StopIteration:  # failed within a response
            return False
        except OSError as error:
            if error.errno not in CLIENT_GONE:
                self.log.exception("A response failed.")
        except Exception as error:  # noqa: BLE001 - whatever an application raises becomes a 500
            self.handle_error(connection.request, connection.sock, connection.client, error)
            connection.sock.flush()
        return False

    def responded(self, connection: Connection, future: "Future[bool]") -> None:
        connection.keep_alive = future.exception() is None and future.result()
        connection.finish()
        self.send_rest(connection)

    def send_rest(self, connection: Connection) -> None:
        if connection.sock.fileno() < 0:
            self.drop(connection)
        elif size := connection.sock.unsent_bytes:
            self.wait(connection, selectors.EVENT_WRITE, self.resume, limits.seconds_for(size))
        elif connection.keep_alive:
            seconds = self.cfg.keepalive if self.alive else LINGER_SECONDS
            self.wait(connection, selectors.EVENT_READ, self.receive, seconds)
            if connection.has_begun:
                connection.deadline = time.monotonic() + settings.WEB_REQUEST_SECONDS
                self.advance(connection)
        else:
            self.close_gently(connection)

    def resume(self, connection: Connection) -> None:
        try:
            connection.sock.resume()
        except OSError:
            self.drop(connection)
            return
        if not connection.sock.unsent_bytes:
            self.stop_waiting(connection)
            self.send_rest(connection)

    # --- waiting for clients ---

    def submit(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[Connection], bool],
        connection: Connection,
        then: "Callable[[Connection, Future[bool]], None]",
    ) -> None:
        future = pool.submit(work, connection)
        future.add_done_callback(lambda done: self.method_queue.defer(then, connection, done))

    def wait(self, connection: Connection, event: int, step: Step, seconds: float) -> None:
        connection.deadline = time.monotonic() + seconds
        self.waiting[connection] = step
        self.poller.register(connection.sock, event, partial(self.ready, connection))

    def ready(self, connection: Connection, _: socket.socket) -> None:
        if step := self.waiting.get(connection):  # not dropped meanwhile
            step(connection)

    def stop_waiting(self, connection: Connection) -> None:
        if connection in self.waiting:
            del self.waiting[connection]
            self.poller.unregister(connection.sock)

    def drop(self, connection: Connection) -> None:
        self.stop_waiting(connection)
        connection.close()
        self.nr_conns -= 1

    def close_gently(self, connection: Connection) -> None:
        """Let the client read the last response: closing while it still sends would destroy that."""
        self.stop_waiting(connection)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(connection)
        else:
            self.wait(connection, selectors.EVENT_READ, self.discard, LINGER_SECONDS)

    def discard(self, connection: Connection) -> None:
        try:
            goes_on = bool(connection.sock.recv(READ))
        except OSError:
            goes_on = False
        if not goes_on:
            self.drop(connection)

    def close_longest_waiting(self) -> None:
        for connection in self.waiting:
            self.drop(connection)
            break

    # --- what ThreadWorker's loop calls ---

    def handle_exit(self, sig: int, frame: object) -> None:
        """On SIGTERM: say so on `/readyz`, and accept connections until load balancers have noticed."""
        if self.stops_at is None:
            stopping.announced.set()
            self.stops_at = time.monotonic() + settings.WEB_DRAIN_SECONDS
            self.method_queue.defer(self.murder_keepalived)  # at once, if there's nothing to wait for

    def murder_keepalived(self, force: bool = False) -> None:
        """Close the connections whose time is up, and stop when ours is."""
        now = time.monotonic()
        if self.stops_at is not None and now >= self.stops_at:
            self.alive = False
        if now < self.checked_at + CHECK_SECONDS and not force:
            return
        self.checked_at = now
        for connection in [each for each in self.waiting if force or each.deadline <= now]:
            if connection.has_begun and self.waiting[connection] == self.receive and not force:
                self.refuse(connection, Refused(408, "The request took too long to arrive."))
            else:
                self.drop(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """When we stop: refuse new connections; an idle one may send one more request, but soon."""
        for listener in self.sockets:
            while self.accept(listener):
                pass
            listener.close()
        for connection, step in self.waiting.items():
            if step == self.receive and not connection.has_begun:
                connection.deadline = min(connection.deadline, deadline)
