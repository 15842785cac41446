"""Clients that are slow, silent or hostile, below what HTTP libraries do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time

import httpx
import numpy as np
import pytest

from edgeage.errors import EdgeageError
from edgeage.streaming.web import make_app, serve_in_thread


@contextlib.contextmanager
def connection(served):
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=10) as sock:
        yield sock


def until_closed(sock):
    """Everything the server sends until it closes; a reset is a close."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            found += data
    return found


def ask(served, data):
    """Send what is no request of a library's; return the status and the text of the answer."""
    with connection(served) as sock:
        sock.sendall(data)
        with contextlib.closing(http.client.HTTPResponse(sock)) as answer:
            answer.begin()
            return answer.status, answer.read().decode()


HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


def test_a_silent_client_is_cut(serve):
    served = serve(read_seconds=0.4)
    with connection(served) as sock:
        began = time.monotonic()
        assert until_closed(sock) == b""
        assert 0.3 < time.monotonic() - began < 5


def test_a_head_that_drips_is_cut(serve):
    served = serve(read_seconds=0.5)
    with connection(served) as sock, contextlib.suppress(ConnectionError):
        began = time.monotonic()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        while time.monotonic() - began < 8:
            sock.sendall(b"X: y\r\n")
            time.sleep(0.05)
    assert time.monotonic() - began < 4


def test_a_second_head_that_drips_is_cut_too(serve):
    served = serve(read_seconds=0.5)
    with connection(served) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in sock.recv(4096)
        began = time.monotonic()
        while time.monotonic() - began < 8:
            sock.sendall(b"G")
            time.sleep(0.05)
    assert time.monotonic() - began < 4


def test_a_body_that_drips_is_a_408(serve):
    served = serve(read_seconds=0.5)
    with connection(served) as sock:
        sock.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        for _ in range(3):
            sock.sendall(b"x")
            time.sleep(0.1)
        assert sock.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_a_patient_client_is_not_cut(serve, png):
    served = serve(read_seconds=1.5)
    client = http.client.HTTPConnection("127.0.0.1", served.server.port)
    with contextlib.closing(client):
        for _ in range(3):
            client.putrequest("POST", "/v1/predict")
            client.putheader("Content-Type", "image/png")
            client.putheader("Content-Length", str(len(png)))
            client.endheaders()
            time.sleep(0.4)
            client.send(png)
            answer = client.getresponse()
            assert (answer.status, answer.read()[:8]) == (200, b'{"image"')
            time.sleep(0.3)


def test_a_viewer_that_takes_nothing_is_cut(serve):
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    served = serve(live=True, write_seconds=0.5)
    with connection(served) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until = time.monotonic() + 10
        while not served.hub.watched and time.monotonic() < until:
            time.sleep(0.01)
        assert served.hub.watched
        number = 0
        while served.hub.watched and time.monotonic() < until:
            number += 1
            served.hub.publish(noise, {"type": "frame", "frame": number})
            time.sleep(0.02)
        assert not served.hub.watched


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff" * 500 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
        b"GET /%00%ff%0d%0aX:y HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/..%2f..%2fapp.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/%2e%2e/app.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"DELETE /v1/predict HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=[
        "noise", "TLS", "an unknown version", "a long address", "two hosts",
        "no host", "a negative length", "two lengths", "an endless length", "no chunk",
        "coded twice", "packed", "signs in the address", "out of the folder", "escaped",
        "escaped dots", "a proxy's request", "a tunnel", "another method", "a method of old",
    ],
)  # fmt: skip
def test_hostile_requests_are_refused_and_the_server_works_on(plain, png, data):
    status, text = ask(plain, data)
    assert 400 <= status < 500
    assert "Traceback" not in text
    assert plain.send(png).status_code == 200


def test_a_head_without_end_is_cut(plain, png):
    with connection(plain) as sock, pytest.raises(ConnectionError):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        for _ in range(10_000):
            sock.sendall(b"X: y\r\n" * 1000)
    assert plain.send(png).status_code == 200


def test_a_websocket_is_not_spoken(plain):
    status, _ = ask(
        plain,
        b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n",
    )
    assert status == 404


def test_more_connections_than_allowed(serve):
    served = serve(connections=4)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connection(served))
        time.sleep(0.2)
        status, _ = ask(served, b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status == 503
        # Far beyond, there is no answer at all.
        for _ in range(4):
            stack.enter_context(connection(served))
        time.sleep(0.2)
        with connection(served) as late:
            assert until_closed(late) == b""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            if served.client.get("/v1/health").status_code == 200:
                break
        time.sleep(0.05)
    assert served.client.get("/v1/health").status_code == 200


def test_a_port_that_is_taken(plain):
    app = make_app(plain.predictor)
    with pytest.raises(EdgeageError, match=r"cannot listen on 127\.0\.0\.1 port \d+: .*--port"):
        serve_in_thread(app, port=plain.server.port)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_addresses_of_this_machine(plain, host):
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with serve_in_thread(make_app(plain.predictor), host, 0) as server:
        assert server.url == f"http://{'[::1]' if host == '::1' else host}:{server.port}/"
        assert httpx.get(f"{server.url}v1/health").status_code == 200


def test_closing_twice_is_harmless(serve):
    served = serve()
    served.server.close()
    served.server.close()


def test_answers_are_not_held_back(plain):
    """Without TCP_NODELAY the second part of an answer waits some 40 ms for an acknowledgement."""
    plain.client.get("/v1/health")
    (protocol, *_) = plain.server._server.server_state.connections
    sock = protocol.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
