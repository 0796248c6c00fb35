"""Run the application under uvicorn: one process, or several that share the listening socket."""

from __future__ import annotations

import gc
import signal
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from mask_cli.config import share_with_children
from mask_cli.errors import ConfigurationError, StorageError
from mask_cli.web import log
from mask_cli.web.connection import Connection
from mask_cli.web.metrics import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mask_cli.web.app import Front
    from mask_cli.web.site import Site

GRACE_SECONDS = 20
"""Calls in flight are answered for so long after the signal to stop."""
_GARBAGE = (10_000, 20, 20)
"""After how many new objects Python looks for garbage; a call leaves hardly any that needs it."""


@dataclass(frozen=True)
class Factory:
    """Makes a worker's application; it travels to other processes."""

    site: Site
    now: Callable[[], int]
    alone: bool = True
    """Whether the process serves and does nothing else: then it logs, and is tuned for it."""

    def __call__(self) -> Front:
        """Return the application."""
        from mask_cli.web.app import application

        if self.alone:
            log.set_up()
            # What stands now stays: searching it for garbage again and again is a call's time.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GARBAGE)
        return application(self.site, self.now)


def listening(host: str, port: int) -> socket.socket:
    """Return a listening socket, or raise ConfigurationError naming what is in the way."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _bound(socket.socket(family, kind, protocol), address)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="choose another --port or --host",
        ) from error


def _bound(opened: socket.socket, address: Any) -> socket.socket:  # noqa: ANN401 (of any family)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(2048)
        opened.set_inheritable(True)
    except BaseException:
        opened.close()
        raise
    return opened


def serve(factory: Factory, opened: socket.socket, workers: int) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight; raises when it cannot start."""
    # uvicorn raises the signal that stopped it once more when all is done; it has done its work.
    signal.signal(signal.SIGTERM, lambda *_: None)
    log.set_up()
    if workers == 1:
        server = uvicorn.Server(_config(factory))
        server.run(sockets=[opened])
        if not server.started:
            raise StorageError("the server could not start; its log tells why")
        return
    with tempfile.TemporaryDirectory(prefix="mask-metrics-") as folder:
        share_with_children(SHARED, folder)
        Multiprocess(_config(factory, workers), [opened]).run()


@contextmanager
def in_background(factory: Factory, opened: socket.socket) -> Iterator[None]:
    """Serve from a thread of this process for as long as the context lasts."""
    server = uvicorn.Server(_config(factory))
    thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise StorageError("the server could not start")
            time.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        thread.join()


def _config(factory: Factory, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        factory,
        factory=True,
        workers=workers,
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        # What a proxy claims about the address is not believed: the public one is configured.
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
