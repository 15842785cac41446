"""Who is let in: the token, the cookie, and other web sites."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from edgeage.errors import UsageError
from edgeage.streaming.web import WebSettings, make_app, serve_in_thread
from edgeage.streaming.web.auth import COOKIE, Gate, client_of

TOKEN = "token-of-this-test-0123"
CLOSED = ("/openapi.json", "/metrics", "/v1/stream", "/v1/events", "/v1/nothing", "/docs")
OPEN = ("/", "/static/page.js", "/v1/health")


def asked(client="10.0.0.1", host="localhost", scheme="http", **headers):
    """A request as the gate sees it."""
    raw = [(b"host", host.encode())]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw,
            "client": (client, 1), "scheme": scheme, "server": ("localhost", 80),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def others(locked):
    """A client of the locked server that shows nothing."""
    with httpx.Client(base_url=locked.url) as client:
        yield client


@pytest.fixture(scope="module")
def locked(servers):
    return servers(token=TOKEN)


@pytest.mark.parametrize("path", CLOSED)
def test_without_the_token_nothing_is_told(others, path):
    refused = others.get(path)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "token" in refused.json()["error"]


def test_without_the_token_nothing_is_predicted(others, png):
    assert others.post("/v1/predict", files={"image": png}).status_code == 401


@pytest.mark.parametrize("path", OPEN)
def test_the_page_can_be_had_to_sign_in(others, path):
    assert others.get(path).status_code == 200


def test_health_tells_strangers_only_whether_it_works(others, locked):
    assert others.get("/v1/health").json() == {"status": "ok", "authorized": False}
    assert locked.client.get("/v1/health").json()["device"] == "FAKE"


@pytest.mark.parametrize(
    "shown",
    [
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        "Bearer",
        TOKEN,
        b"Bearer \xff\xfe",
    ],
    ids=["longer", "shorter", "another scheme", "none", "bare", "no text"],
)
def test_a_wrong_token_is_no_token(others, shown):
    refused = others.get("/metrics", headers={"authorization": shown})
    assert refused.status_code == 401


def test_signing_in_gives_a_cookie_that_works_and_can_be_taken_away(serve, png):
    served = serve(token=TOKEN)
    with httpx.Client(base_url=served.url) as browser:
        assert browser.post("/v1/session", json={"token": "wrong" * 5}).status_code == 401
        signed_in = browser.post("/v1/session", json={"token": TOKEN})
        assert signed_in.status_code == 204
        cookie = signed_in.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert browser.get("/v1/health").json()["authorized"]
        assert browser.post("/v1/predict", files={"image": png}).status_code == 200
        assert browser.delete("/v1/session").status_code == 204
        assert browser.get("/metrics").status_code == 401


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (400, "application/json", b"{"),
        (400, "application/json", b"\xff"),
        (400, "application/json", b"[" * 100_000),
        (422, "application/json", b"[]"),
        (422, "application/json", b'{"token": 1}'),
        (401, "application/json", b'{"token": "\\ud800"}'),
        (415, "text/plain", b'{"token": "x"}'),
    ],
)
def test_signing_in_with_nonsense(others, status, kind, body):
    answer = others.post("/v1/session", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["error"]


def test_wrong_tokens_lock_nobody_out(locked, others):
    for number in range(30):
        wrong = {"authorization": f"Bearer guess-number-{number:05}"}
        assert others.get("/metrics", headers=wrong).status_code == 401
    assert locked.client.get("/metrics").status_code == 200


def test_a_cookie_ends_and_cannot_be_made():
    now = [1000.0]
    gate = Gate(TOKEN, clock=lambda: now[0])
    response = Response()
    gate.sign_in(asked(), TOKEN, response)
    value = response.headers["set-cookie"].partition(";")[0]
    assert gate.knows(asked(cookie=value))
    until, _, signature = value.partition("=")[2].partition(".")
    for forged in (
        f"{int(until) + 1}.{signature}",
        f"{until}.{'0' * 64}",
        f"{until}.",
        signature,
        "",
        "9" * 5000,
        "-1.x",
        "²³.x",
    ):
        assert not gate.knows(asked(cookie=f"{COOKIE}={forged}".encode().decode("latin-1")))
    assert not Gate(TOKEN + "x", clock=lambda: now[0]).knows(asked(cookie=value))
    now[0] += 12 * 3600 + 1
    assert not gate.knows(asked(cookie=value))


def test_the_cookie_is_for_https_where_that_is_spoken():
    for scheme, secure in (("http", False), ("https", True)):
        response = Response()
        Gate(TOKEN).sign_in(asked(scheme=scheme), TOKEN, response)
        assert ("secure" in response.headers["set-cookie"].lower()) is secure


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("127.0.0.1@evil.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_without_a_token_only_this_machines_names_are_answered(plain, host, status):
    assert plain.client.get("/v1/health", headers={"host": host}).status_code == status


def test_with_a_token_any_name_is_answered(locked):
    assert locked.client.get("/metrics", headers={"host": "camera.example"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:1234", 200),
        ("http://evil.example", 403),
        ("http://localhost:1235", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_other_sites_cannot_send_pictures(plain, png, origin, status):
    headers = {"host": "localhost:1234", **({"origin": origin} if origin else {})}
    answer = plain.client.post("/v1/predict", files={"image": png}, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/", "/v1/health", "/nothing", "/static/page.js"])
def test_every_answer_carries_what_protects_the_page(plain, path):
    headers = plain.client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not an address", "not an address"),
        ("x" * 10_000, "x" * 64),
    ],
)
def test_whose_rate_it_is(address, client):
    # A household has 2^64 addresses of IPv6.
    assert client_of(asked(client=address)) == client


def test_an_address_others_reach_needs_a_token(plain):
    app = make_app(plain.predictor, settings=WebSettings())
    with pytest.raises(UsageError, match="a token is needed"):
        serve_in_thread(app, "0.0.0.0", 0)
    app = make_app(plain.predictor, settings=WebSettings(token=TOKEN))
    with serve_in_thread(app, "0.0.0.0", 0) as server:
        assert httpx.get(f"http://127.0.0.1:{server.port}/v1/health").status_code == 200
