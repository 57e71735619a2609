"""Servers on loopback that tests of remote reading talk to: an S3 server and one with faults."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Answer:
    """What a path answers."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Send only so many bytes of the body, though all were announced."""
    announced: bool = True
    """Whether the length is said beforehand."""


Route = Callable[["Handler"], Answer]


class Handler(BaseHTTPRequestHandler):
    """Answers what its server says, and notes what was asked."""

    server: WebServer
    timeout = 30

    def do_GET(self) -> None:
        self.server.note(self)
        answer = self.server.answer(self)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.announced and "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(answer.body[: answer.cut])

    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the terminal."""


class WebServer(ThreadingHTTPServer):
    """A web server whose `routes` may be bytes, an `Answer`, or what gives one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.routes: dict[str, bytes | Answer | Route] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.open = Counter[str]()
        self.lock = threading.Lock()
        super().__init__((host, 0), Handler)
        self.url = f"http://{host}:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def note(self, handler: Handler) -> None:
        with self.lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.asked.append((handler.path, headers))

    def answer(self, handler: Handler) -> Answer | None:
        route = self.routes.get(urlsplit(handler.path).path, Answer(b"no such page", 404))
        if callable(route):
            return route(handler)
        return Answer(route) if isinstance(route, bytes) else route

    def paths(self) -> list[str]:
        return [unquote(urlsplit(path).path) for path, _ in self.asked]

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that leaves is no error."""


class FaultyProxy(WebServer):
    """Stands before another server; of its answers some fail at random.

    Parameters
    ----------
    behind : str
        The url of the other.
    share : float
        Of requests that fail in passing: with 500 or 503, cut before the answer or amid it.
    missing : set of str
        Paths that are listed and not there.
    """

    def __init__(
        self, behind: str, *, share: float = 0.0, missing: set[str] | None = None, seed: int = 0
    ) -> None:
        self.behind = urlsplit(behind)
        self.share, self.missing, self.seed = share, missing or set(), seed
        self.faults = Counter[str]()
        self._times = Counter[str]()
        super().__init__()

    def answer(self, handler: Handler) -> Answer | None:
        path = unquote(urlsplit(handler.path).path)
        with self.lock:
            self._times[path] += 1
            times = self._times[path]
        key = path.lstrip("/").partition("/")[2]  # a bucket's name is another in every run
        chance = random.Random(f"{self.seed} {key} {times}")
        fault = ""
        if path in self.missing:
            return Answer(_NO_SUCH_KEY, 404, {"Content-Type": "application/xml"})
        if chance.random() < self.share and times < 4:  # in passing: the fourth try is let through
            fault = chance.choice(["500", "503", "gone", "short"])
            self.faults[fault] += 1
        if fault in ("500", "503"):
            return Answer(b"<Error><Code>InternalError</Code></Error>", int(fault))
        if fault == "gone":
            with contextlib.suppress(OSError):
                handler.connection.shutdown(socket.SHUT_RDWR)
            return None
        answer = self._forward(handler)
        if fault == "short":
            answer.cut = len(answer.body) // 2
        return answer

    def _forward(self, handler: Handler) -> Answer:
        there = http.client.HTTPConnection(str(self.behind.hostname), self.behind.port, timeout=30)
        with contextlib.closing(there):
            there.putrequest("GET", handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                there.putheader(name, value)
            there.endheaders()
            response = there.getresponse()
            body = response.read()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("connection", "transfer-encoding", "date", "server")
            }
            return Answer(body, response.status, headers)


_NO_SUCH_KEY = b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"


class Bucket:
    """A bucket of a moto server in this process."""

    def __init__(self, url: str, *, public: bool = False) -> None:
        import boto3

        self.url = url
        self.name = f"bucket-{uuid.uuid4().hex[:12]}"
        self._client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id="owner",
            aws_secret_access_key="owner",
            region_name="us-east-1",
        )
        self._access = "public-read" if public else "private"
        self._client.create_bucket(Bucket=self.name, ACL=self._access)

    def put(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=data, ACL=self._access)

    def put_many(self, keys: list[str], data: bytes) -> None:
        """As `put`, past the network: a thousand requests take long."""
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        for key in keys:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(self.name, key, data)

    def get(self, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)

    def uri(self, key: str = "") -> str:
        return f"s3://{self.name}/{key}".rstrip("/")


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The url of a moto server in a thread of this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def until(what: Callable[[], object], *, timeout_s: float = 20.0) -> None:
    """Look until it is so; fails after the time."""
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, f"not so after {timeout_s} s"
        time.sleep(0.01)
