"""python -m deploy.probe HOST [PORT] [HTTP_PORT] [--ca FILE]: a running service looked at as a visitor meets it.

Prints a line for each thing looked at, and ends non-zero where one is not as it should be. It signs nobody in, and
leaves behind some dozen refused sign-ins.
"""

import argparse
import re
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection

POLICY = ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'")
HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip
HIDDEN = (
    "/metrics",
    "/.git/config",
    "/config.py",
    "/static/",
    "/static/../config.py",
    "/console",
    "/.env",
    "/server-status",
)
ASKED = (
    ("/", "GET"), ("/sign-in", "GET"), ("/nothing", "GET"), ("/healthz", "GET"), ("/sign-in", "DELETE"),
    ("/patients/1", "GET"), ("/static/css/jakwatch.css", "GET"), ("/sign-in", "POST"),
)  # fmt: skip
LEAKS = re.compile(r"Traceback|site-packages|psycopg|sqlalchemy|gunicorn/|nginx/\d", re.IGNORECASE)
SLOW = 40

Finding = tuple[str, bool, str]


@dataclass(frozen=True)
class Site:
    """Where the service is met: the name in its certificate, and the ports of this machine or another."""

    host: str
    port: int
    http_port: int
    address: str
    ca: str | None

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, HTTPResponse, str]:
        """(status, answer, text) of one request with TLS."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(Tls(self)) as connection:
            connection.putrequest(method, path, skip_host=True)
            for name, value in ({"Host": self.host} | named).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
                connection.putheader("Content-Type", "application/x-www-form-urlencoded")
            connection.endheaders(body.encode() if body is not None else None)
            answer = connection.getresponse()
            return answer.status, answer, answer.read().decode(errors="replace")


class Tls(HTTPSConnection):
    """To the address, by the name of the certificate."""

    def __init__(self, site: Site, timeout: float = 30) -> None:
        super().__init__(site.host, site.port, timeout=timeout, context=site.context())
        self._site = site

    def connect(self) -> None:
        plain = socket.create_connection((self._site.address, self._site.port), self.timeout)
        self.sock = self._site.context().wrap_socket(plain, server_hostname=self._site.host)


def probe(site: Site) -> Iterator[Finding]:
    yield from transport(site)
    yield from answers(site)
    yield from cookies(site)
    yield from hidden(site)
    yield from refusals(site)
    yield from slow_visitors(site)
    yield from guesses(site)


def transport(site: Site) -> Iterator[Finding]:
    for version, wanted in (("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)):
        yield f"{version.replace('_', '.')} is {'taken' if wanted else 'refused'}", _speaks(site, version) == wanted, ""
    plain = HTTPConnection(site.address, site.http_port, timeout=10)
    plain.request("GET", "/patients", headers={"Host": site.host})
    answer = plain.getresponse()
    target = answer.headers.get("Location", "")
    yield (
        "http leads to https of the same name",
        (answer.status, target) == (301, f"https://{site.host}/patients"),
        target,
    )


def _speaks(site: Site, version: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the version alone is asked about
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
        with socket.create_connection((site.address, site.port), 10) as plain:
            context.wrap_socket(plain, server_hostname=site.host).close()
    except (OSError, ValueError):
        return False
    return True


def answers(site: Site) -> Iterator[Finding]:
    wrong: list[str] = []
    for path, method in ASKED:
        status, answer, text = site.ask(path, method, "" if method == "POST" else None)
        told, where = answer.headers, f"{method} {path}"
        wrong += [f"{where}: {name}" for name, value in HEADERS.items() if told.get(name) != value]
        wrong += [f"{where}: {part}" for part in POLICY if part not in told.get("Content-Security-Policy", "")]
        if "max-age=63072000" not in told.get("Strict-Transport-Security", ""):
            wrong.append(f"{where}: HSTS")
        if status >= 500 or LEAKS.search(f"{told.get('Server')} {text}"):
            wrong.append(f"{where}: {status} by {told.get('Server')}")
    yield "every answer carries the headers and no version or trace", not wrong, "; ".join(wrong[:5])


def cookies(site: Site) -> Iterator[Finding]:
    _, answer, _ = site.ask("/sign-in")
    found = answer.headers.get_all("Set-Cookie") or []
    whole = all(part in cookie for cookie in found for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    named = all(cookie.startswith("__Host-") and "Domain" not in cookie for cookie in found)
    yield "cookies are for this host, TLS and no script", bool(found) and whole and named, " ".join(found)


def hidden(site: Site) -> Iterator[Finding]:
    seen = {path: site.ask(path)[0] for path in HIDDEN}
    yield "what is not for visitors is not there", all(status in (400, 404) for status in seen.values()), str(seen)


def refusals(site: Site) -> Iterator[Finding]:
    status, _, _ = site.ask("/", "TRACE")
    yield "TRACE is refused", status in (400, 405), str(status)
    status, answer, _ = site.ask("/patients", X_Forwarded_Host="evil.example", Forwarded="host=evil.example")
    yield "a visitor does not choose the host", "evil" not in answer.headers.get("Location", ""), ""
    yield (
        "another host name gets nothing",
        _raw(site, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n") in (0, 400, 421),
        "",
    )
    head = f"POST /sign-in HTTP/1.1\r\nHost: {site.host}\r\n".encode()
    twice = [
        head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        head + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        head + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        head + b"Content-Length: +5\r\n\r\nhello",
    ]
    found = [_raw(site, one) for one in twice]
    yield "a request of two lengths is refused", all(status in (0, 400, 501) for status in found), str(found)
    yield (
        "a head of 100 kB is refused",
        _raw(site, head + b"X: " + b"a" * 100_000 + b"\r\n\r\n") in (0, 400, 414, 431),
        "",
    )
    size = 200 * 1024 * 1024
    yield "a body of 200 MB is refused unread", _raw(site, head + f"Content-Length: {size}\r\n\r\n".encode()) == 413, ""


def _raw(site: Site, request: bytes) -> int:
    """The status of a request sent as it is; 0 where the connection was closed without one."""
    with closing(Tls(site, 15)) as connection:
        connection.connect()
        with suppress(OSError):
            connection.sock.sendall(request)
        try:
            line = connection.sock.recv(64)
        except OSError:
            return 0
    found = re.match(rb"HTTP/1\.\d (\d{3})", line)
    return int(found[1]) if found else 0


def slow_visitors(site: Site) -> Iterator[Finding]:
    held = []
    for _ in range(SLOW):
        connection = Tls(site, 60)
        connection.connect()
        connection.sock.sendall(f"POST /sign-in HTTP/1.1\r\nHost: {site.host}\r\nX-Slow:".encode())
        held.append(connection)
    begun = time.monotonic()
    status, _, _ = site.ask("/healthz")
    took = time.monotonic() - begun
    yield f"{SLOW} visitors who never finish hold up nobody", status == 200 and took < 2, f"{status} after {took:.2f} s"
    held[0].sock.settimeout(20)
    with suppress(OSError):
        while held[0].sock.recv(1024):
            pass
    took = time.monotonic() - begun
    yield "and are cut off", took < 15, f"after {took:.0f} s"
    for connection in held:
        connection.close()


def guesses(site: Site) -> Iterator[Finding]:
    seen = [site.ask("/sign-in", "POST", f"username=nobody&password=guess{n}")[0] for n in range(60)]
    yield "sixty sign-ins at once are not all looked at", 429 in seen, f"{seen.count(429)} of {len(seen)} answered 429"
    yield "and fail nothing", all(status < 500 for status in seen), ""


def tell(findings: Iterator[Finding]) -> int:
    """Print a line each; how many were wrong."""
    wrong = 0
    for what, right, detail in findings:
        wrong += not right
        print(f"{'ok ' if right else 'BAD'}  {what}" + (f"   ({detail})" if detail else ""), flush=True)
    return wrong


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m deploy.probe", description=__doc__)
    options.add_argument("host", help="the name in the certificate")
    options.add_argument("port", type=int, nargs="?", default=443)
    options.add_argument("http_port", type=int, nargs="?", default=80)
    options.add_argument("--address", help="where it is, when the name does not lead there")
    options.add_argument("--ca", help="the certificate to trust, where it is one of one's own")
    chosen = options.parse_args()
    site = Site(chosen.host, chosen.port, chosen.http_port, chosen.address or chosen.host, chosen.ca)
    sys.exit(bool(tell(probe(site))))


if __name__ == "__main__":
    main()
