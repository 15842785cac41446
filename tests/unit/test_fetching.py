"""Fetching from servers that are slow, endless, lying or not there: bounded, one line, no leak."""

from __future__ import annotations

import contextlib
import io
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from edgeage import Predictor
from edgeage.errors import ImageError, UsageError
from edgeage.fetching import FetchLimits, fetch, public_url
from edgeage.images import read_image
from edgeage.testing import FakeBackend

SECONDS = 0.4
LIMITS = FetchLimits(seconds=SECONDS, max_bytes=20_000, max_redirects=2)


def _png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), (10, 20, 30)).save(stream, "PNG")
    return stream.getvalue()


PNG = _png()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def moved(to: str) -> bytes:
    return answer(b"", f"Location: {to}", "Content-Length: 0", status="302 Found")


def drip(peer: socket.socket, head: bytes, every: bytes) -> None:
    """Send something small for ever, so that no single wait is long."""
    peer.sendall(head)
    while True:
        time.sleep(0.02)
        peer.sendall(every)


def endless(peer: socket.socket) -> None:
    peer.sendall(answer(b""))
    while True:
        peer.sendall(bytes(1 << 14))


PAGES: dict[str, bytes | Callable[[socket.socket], object]] = {
    "/a.png": answer(PNG, f"Content-Length: {len(PNG)}"),
    "/to/the/end.png": answer(PNG),
    "/chunked.png": answer(
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG), "Transfer-Encoding: chunked"
    ),
    "/once": moved("/a.png"),
    "/twice": moved("once"),
    "/thrice": moved("/twice"),
    "/loop": moved("/loop"),
    "/to-file": moved("file:///etc/passwd"),
    "/to-ftp": moved("ftp://127.0.0.1/a.png"),
    "/to-user": moved("http://user:secret@127.0.0.1/a.png"),
    "/to-nothing": moved("http://:80/a.png"),
    "/no-location": answer(b"", status="301 Moved Permanently"),
    "/missing": answer(b"", status="404 \x1b[31mFind me\x1b[0m"),
    "/own-status": answer(b"", status="799 Whatever"),
    "/empty": answer(b"", "Content-Length: 0"),
    "/page.html": answer(b"<html>" * 20, "Content-Type: text/html"),
    "/says-more": answer(PNG, f"Content-Length: {len(PNG) + 7}"),
    "/says-less": answer(PNG, f"Content-Length: {len(PNG) - 30}"),
    "/says-huge": answer(PNG, f"Content-Length: {10**15}"),
    "/says-nonsense": answer(PNG, "Content-Length: many"),
    "/says-minus": answer(PNG, "Content-Length: -5"),
    "/chunk-cut": answer(b"fff\r\nabc", "Transfer-Encoding: chunked"),
    "/chunk-nonsense": answer(b"xyz\r\nabc", "Transfer-Encoding: chunked"),
    "/endless": endless,
    "/silent": lambda peer: time.sleep(60),
    "/slow-body": lambda peer: drip(peer, answer(b"", "Content-Length: 9999"), b"x"),
    "/slow-head": lambda peer: drip(peer, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "/slow-line": lambda peer: drip(peer, b"HTTP/1.1 ", b"0"),
    "/continue": lambda peer: drip(peer, b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "/many-headers": answer(PNG, *(f"X{n}: y" for n in range(200))),
    "/long-header": answer(PNG, "X: " + "y" * 70_000),
    "/no-http": b"220 ftp ready\r\n",
    "/hangs-up": b"",
    "/b%20%C3%BC.png?q=%C3%A9%20": answer(PNG),
}


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while (
            b"\r\n\r\n" not in head and head[:1] != b"\x16" and (block := self.request.recv(4096))
        ):
            head += block
        self.server.heads.append(head.decode("latin-1"))  # type: ignore[attr-defined]
        target = head.split(b" ")[1].decode()
        page = PAGES.get(target, answer(b"", status="404 Not Found"))
        with contextlib.suppress(OSError):
            page(self.request) if callable(page) else self.request.sendall(page)


class Server(socketserver.ThreadingTCPServer):
    """Answers as PAGES says and keeps the requests it got."""

    daemon_threads, block_on_close, allow_reuse_address = True, False, True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heads: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor that hangs up is no fault."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    "page",
    ["/a.png", "/to/the/end.png", "/chunked.png", "/once", "/twice", "/says-nonsense",
     "/says-minus", "/b ü.png?q=é ", "/a.png#part"],
)  # fmt: skip
def test_a_picture_comes_as_it_is(page: str, server: Server) -> None:
    assert fetch(server.url + page, LIMITS) == PNG


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("/thrice", "it is redirected more than 2 times"),
        ("/loop", "it is redirected more than 2 times"),
        ("/to-file", "«file» is not http or https; for a file, give its path"),
        ("/to-ftp", "«ftp» is not http or https; for a file, give its path"),
        ("/to-user", "the address holds a user name, and edgeage sends none; fetch it yourself"),
        ("/to-nothing", "the address names no host"),
        ("/no-location", "the server answered 301 Moved Permanently"),
        ("/missing", "the server answered 404 Not Found"),
        ("/own-status", "the server answered 799"),
        ("/says-more", f"it broke off after {len(PNG)} of {len(PNG) + 7} bytes"),
        ("/says-huge", "it holds more than the limit of 20,000 bytes"),
        ("/endless", "it holds more than the limit of 20,000 bytes"),
        ("/silent", "it took longer than the limit of 0.4 s"),
        ("/slow-body", "it took longer than the limit of 0.4 s"),
        ("/slow-head", "it took longer than the limit of 0.4 s"),
        ("/slow-line", "it took longer than the limit of 0.4 s"),
        ("/continue", "it took longer than the limit of 0.4 s"),
        ("/many-headers", "got more than 100 headers"),
        ("/long-header", "got more than 65536 bytes when reading header line"),
        ("/no-http", "220 ftp ready"),
        ("/hangs-up", "Remote end closed connection without response"),
        ("/chunk-cut", "it broke off"),
        ("/chunk-nonsense", "it broke off"),
    ],
)
def test_what_is_refused_says_why_in_time(page: str, reason: str, server: Server) -> None:
    started = time.monotonic()
    with pytest.raises(ImageError) as caught:
        fetch(server.url + page, LIMITS)
    assert time.monotonic() - started < SECONDS + 1
    assert str(caught.value) == f"{server.url}{page} cannot be fetched: {reason}"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://127.0.0.1/a.png", "«ftp» is not http or https"),
        ("file:///etc/passwd", "«file» is not http or https"),
        ("http://", "names no host"),
        ("http://:80/", "names no host"),
        ("http://127.0.0.1:99999/", "Port out of range"),
        ("http://127.0.0.1:x/", "Port could not be cast"),
        ("http://[::1/", "Invalid IPv6 URL"),
        ("http://a..b/", "label empty"),
        (f"http://{'x' * 70}.invalid/", "label"),
    ],
)
def test_addresses_that_are_none(url: str, reason: str) -> None:
    with pytest.raises(ImageError, match=r"^[^\n]* cannot be fetched: ") as caught:
        fetch(url, LIMITS)
    assert reason in str(caught.value)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ImageError, match="cannot be fetched: Connection refused"):
        fetch(f"http://127.0.0.1:{port}/a.png", LIMITS)


def test_a_user_name_is_neither_sent_nor_shown(server: Server) -> None:
    url = server.url.replace("//", "//user:secret@") + "/a.png"
    before = len(server.heads)
    with pytest.raises(ImageError, match="holds a user name") as caught:
        fetch(url, LIMITS)
    assert "secret" not in str(caught.value)
    assert len(server.heads) == before
    (result,) = Predictor(backend=FakeBackend()).predict_batch([url])
    assert result.image == server.url + "/a.png"
    assert "secret" not in str(result.error)


def test_a_proxys_password_does_not_follow_a_redirect(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:secret@"))
    PAGES["http://first.invalid/"] = moved(f"http://localhost:{server.server_address[1]}/a.png")
    monkeypatch.setenv("no_proxy", "localhost")
    before = len(server.heads)
    assert fetch("http://first.invalid/", LIMITS) == PNG
    asked, followed = server.heads[before:]
    assert "Proxy-Authorization" in asked.title()
    assert "Proxy-Authorization" not in followed.title()


def test_only_what_is_needed_is_said(server: Server) -> None:
    fetch(server.url + "/a.png", LIMITS)
    names = {line.partition(":")[0] for line in server.heads[-1].split("\r\n")[1:] if line}
    assert names == {"Accept", "Accept-Encoding", "Connection", "Host", "User-Agent"}


def test_limits_are_above_zero() -> None:
    for wrong in ({"seconds": 0}, {"max_bytes": 0}, {"max_redirects": -1}):
        with pytest.raises(UsageError, match="expected limits above zero"):
            FetchLimits(**wrong)  # type: ignore[arg-type]
    assert FetchLimits(max_redirects=0).max_redirects == 0


def test_only_the_user_part_is_hidden() -> None:
    for url in ("http://h/a@b.png", "http://h/?x=http://u@h", "photos/me@home.jpg"):
        assert public_url(url) == url


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("/page.html", "is not a picture in a known format"),
        ("/empty", "is empty (0 bytes)"),
        ("/says-less", "is not a readable picture"),
    ],
)
def test_what_comes_must_be_a_picture(page: str, reason: str, server: Server) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(server.url + page)
    assert str(caught.value).startswith(f"{server.url}{page} {reason}")


def test_a_predictor_takes_addresses_and_goes_on_past_bad_ones(server: Server) -> None:
    urls = [server.url + page for page in ("/a.png", "/missing", "/once")]
    with Predictor(backend=FakeBackend()) as predictor:
        results = predictor.predict_batch(urls)
        assert len(predictor.predict(urls[0])) == 1
    assert [result.image for result in results] == urls
    assert [len(result.faces) for result in results] == [1, 0, 1]
    assert read_image(urls[0])[0, 0].tolist() == [30, 20, 10]


def test_https_without_a_certificate_is_refused(server: Server) -> None:
    with pytest.raises(ImageError, match="cannot be fetched: .*SSL"):
        fetch(server.url.replace("http:", "https:") + "/a.png", LIMITS)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
def test_https_trusts_whom_the_system_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server() as secure:
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        threading.Thread(target=secure.serve_forever, args=(0.01,), daemon=True).start()
        url = f"https://localhost:{secure.server_address[1]}/a.png"
        with pytest.raises(ImageError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(url, LIMITS)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(url, LIMITS) == PNG
        with pytest.raises(ImageError, match="took longer"):
            fetch(url.replace("/a.png", "/slow-body"), LIMITS)
        secure.shutdown()
