"""What leaves the webhook's socket, byte for byte and piece by piece."""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest

from tests.webhook import PAIRS, fields, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.webhook import Running

DATA_SEGMENTS_IN = 152
"""Where Linux's `tcp_info` counts the packets with data that came in."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "mask.db") as web:
        yield web


def opened(web: Running) -> socket.socket:
    parts = urlsplit(web.base)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def request(web: Running, *more: str) -> bytes:
    """Return a signed request of the first courier's, as bytes."""
    _, courier, _ = PAIRS[0]
    form = fields(courier)
    body = urlencode(form)
    headers = web.signed("POST", "/plivo/answer", form, web.nonce())
    lines = [
        "POST /plivo/answer HTTP/1.1",
        "Host: webhook",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        *more,
    ]
    return "\r\n".join([*lines, "", body]).encode()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a connection's packets")
def test_an_answer_is_not_split_over_packets(web: Running) -> None:
    with opened(web) as client:
        for _ in range(20):
            client.sendall(request(web))
            answer = client.recv(65_536)
            while not answer.endswith(b"</Response>"):
                answer += client.recv(65_536)
        told = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    assert struct.unpack_from("I", told, DATA_SEGMENTS_IN) == (20,)


def test_an_answer_before_the_end_of_the_connection_is_whole(web: Running) -> None:
    with opened(web) as client, client.makefile("rb") as stream:
        client.sendall(request(web, "Connection: close"))
        assert stream.read().endswith(b"</Response>")


def test_requests_that_come_at_once_are_answered_one_by_one(web: Running) -> None:
    with opened(web) as client, client.makefile("rb") as stream:
        client.sendall(request(web) + request(web) + request(web, "Connection: close"))
        answers = stream.read()
    assert answers.count(b"HTTP/1.1 200 OK") == answers.count(b"</Response>") == 3
