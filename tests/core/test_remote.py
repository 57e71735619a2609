"""Objects of a real S3 server and files of a real web server, both on loopback."""

from __future__ import annotations

import asyncio
import gzip
import io
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.errors import CoreError, ImageError, SourceError
from core.indexing import index
from core.library import Library
from core.preparing import thumbnail_path
from core.sources import open_source, remote, remote_base, remote_guard, remote_s3
from core.sources.base import File, Given, ImageRef, Skipped
from core.sources.reading import read_address, read_bytes
from core.sources.remote import open_tree, read_object
from core.sources.remote_ahead import ReadAhead
from core.sources.remote_base import Room
from core.sources.remote_guard import is_public, shown
from core.sources.uri import join, parse
from tests.core.remote_servers import (
    Answer,
    Bucket,
    FaultyProxy,
    Handler,
    WebServer,
    s3_server,
    until,
)
from tests.core.tiny_models import drawn

REFUSED = "not public"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    """Credentials of the test's own, quick second tries, and no file system of another test."""
    for name in (
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_SESSION_TOKEN",
        "PLANKTON_ALLOW_PRIVATE",
        *("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(remote_base, "WAIT_S", 0.01)
    remote._systems.clear()
    remote_base._given_up.clear()
    yield
    remote._systems.clear()


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with s3_server() as url:
        yield url


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.shutdown()
    server.server_close()


def picture(seed: int = 0) -> bytes:
    (image,) = drawn(1, seed=seed)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def read(uri: str, *, limit: int = 10**6, start: int = 0, size: int | None = None) -> bytes:
    return read_object(uri, parse(uri), limit=limit, start=start, size=size)


def why(uri: str, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        read(uri, **options)
    return caught.value.reason


def why_not(where: str, **given: Any) -> str:
    with pytest.raises(SourceError) as caught:
        open_tree(where, Given(**given))
    return str(caught.value)


# buckets


def test_a_bucket_of_more_than_a_page_is_listed_as_a_folder_would_be(storage: str):
    bucket = Bucket(storage)
    keys = [f"run/{n % 7}/{n:05d}.png" for n in range(2_300)]
    keys += ["run/a/x.png", "run/a-b/x.png", "run/a.png", "run/.hidden/x.png", "run/Thumbs.db"]
    bucket.put_many([*keys, "run/folder/", "runner/x.png", "other.png"], b"12345")
    tree, given = open_tree(bucket.uri("run"), Given(endpoint_url=storage))
    assert (tree.name, given.only) == ("run", None)
    assert tree.root == f"{bucket.uri('run')}#via={storage}"
    files = [f for f in tree.files() if isinstance(f, File)]
    paths = [f.path for f in files]
    assert paths == sorted(paths, key=lambda path: path.split("/"))
    expected = {k.removeprefix("run/") for k in keys if "hidden" not in k and "Thumbs" not in k}
    assert set(paths) == expected and len(paths) == len(expected)
    assert {f.size for f in files} == {5}
    assert {f.stamp for f in files} == {"827ccb0eea8a706c4c34a16891f84e7b:5"}


@pytest.mark.parametrize("anonymous", [False, True])
def test_keys_as_people_write_them_are_read_by_their_uris(storage: str, anonymous: bool):
    bucket = Bucket(storage, public=True)
    names = [
        "50% #3/ä ö+x.png",
        "a b/%23.png",
        "q?x=1&y.png",
        "~(1)*'!.png",
        "海/葉.png",
        "a:b.png",
    ]
    for name in names:
        bucket.put(f"station 7/{name}", name.encode())
    where = bucket.uri("station 7")
    source = open_source(where, endpoint_url=storage, anonymous=anonymous)
    refs = [ref for ref in source.refs() if isinstance(ref, ImageRef)]
    assert sorted(ref.id for ref in refs) == sorted(f"station 7/{name}" for name in names)
    for ref in refs:
        uri = join(source.root, ref.inner)
        assert ("#via=anonymous," in uri) == anonymous
        assert read_bytes(uri) == ref.id.removeprefix("station 7/").encode()


def test_keys_that_would_be_taken_for_other_places_are_skipped(storage: str):
    bucket = Bucket(storage)
    bucket.put_many(["run//etc/passwd.png", "run/http://10.0.0.1/x.png", "run/a//b.png"], b"1")
    tree, _ = open_tree(bucket.uri("run"), Given(endpoint_url=storage))
    assert [f.path for f in tree.files() if isinstance(f, File)] == ["a//b.png"]
    assert tree.read("a//b.png") == b"1"
    skipped = [f for f in tree.files() if isinstance(f, Skipped)]
    assert len(skipped) == 2 and all("rename" in s.reason for s in skipped)


def test_a_whole_bucket_and_one_object_of_it(storage: str):
    bucket = Bucket(storage)
    for key in ("a.png", "t/b.png", "t/table.csv", "t/deep/c.png"):
        bucket.put(key, key.encode())
    given = Given(endpoint_url=storage)
    tree, _ = open_tree(f"s3://{bucket.name}/", given)
    assert tree.name == bucket.name
    assert [f.path for f in tree.files() if isinstance(f, File)] == [
        *("a.png", "t/b.png", "t/deep/c.png", "t/table.csv")
    ]
    tree, found = open_tree(bucket.uri("t/table.csv"), given)
    assert (tree.name, found.only) == ("t", "table.csv")
    assert tree.read("table.csv") == b"t/table.csv" and tree.read("table.csv", first=3) == b"t/t"
    assert [f.path for f in tree.files() if isinstance(f, File)] == ["b.png", "table.csv"]
    tree, found = open_tree(bucket.uri("t/b.png"), given)
    assert [f.path for f in tree.files() if isinstance(f, File)] == ["b.png"]
    assert found.only is None
    again, _ = open_tree(tree.root, Given())  # a source's root, as it was stored
    assert again.root == tree.root and again.read("b.png") == b"t/b.png"


def test_parts_of_objects(storage: str):
    bucket = Bucket(storage)
    bucket.put("x.bin", bytes(range(200)))
    uri = f"{bucket.uri('x.bin')}#via={storage}"
    assert read(uri, start=10, size=5) == bytes(range(10, 15))
    assert read(uri, start=190) == bytes(range(190, 200))
    assert read(uri, start=190, size=50) == bytes(range(190, 200))
    assert read(uri, start=500, size=50) == b"" and read(uri, size=0) == b""
    assert read(uri, start=150, limit=50) == bytes(range(150, 200))
    assert why(uri, limit=199) == "200 bytes is more than the 199 allowed for one file"
    assert why(uri, limit=199, size=200) == "200 bytes is more than the 199 allowed for one file"
    assert read_address(uri, parse(uri), start=3, size=2) == b"\x03\x04"


def test_the_environment_says_where_the_storage_is(storage: str, monkeypatch: pytest.MonkeyPatch):
    bucket = Bucket(storage)
    bucket.put("run/a.png", b"a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage)
    tree, _ = open_tree(bucket.uri("run"), Given())
    assert tree.root == bucket.uri("run") and tree.read("a.png") == b"a"


def test_what_is_not_there_or_may_not_be_read(storage: str, monkeypatch: pytest.MonkeyPatch):
    bucket = Bucket(storage)
    bucket.put("run/a.png", b"a")
    via = f"#via={storage}"
    assert why(bucket.uri("run/b.png") + via) == "the bucket holds no such object"
    assert "no such bucket" in why(f"s3://nowhere-at-all/x.png{via}")
    denied = why(f"{bucket.uri('run/a.png')}#via=anonymous,{storage}")
    assert denied == "it may not be read (403): expected it to be open to all"
    assert "'via=cheating' is no way" in why(bucket.uri("run/a.png") + "#via=cheating")
    assert "%23" in why(f"{bucket.uri('run')}/a#b.png{via}")
    assert "zip" in why(f"{bucket.uri('run')}/a.zip#b.png{via}")
    assert "expected s3://bucket/key" in why(f"s3://{bucket.name}{via}")
    there = {"endpoint_url": storage}
    assert "no such bucket; check its name" in why_not("s3://nowhere-at-all", **there)
    assert "holds nothing under 'rum'" in why_not(bucket.uri("rum"), **there)
    assert "holds nothing; expected" in why_not(Bucket(storage).uri(), **there)
    assert "zip is read from the disk" in why_not(bucket.uri("run/c.zip"), **there)
    assert "names no bucket" in why_not("s3://", **there)
    for wrong in (
        "localhost:9000",
        "ftp://a.org",
        "http://u:pw@a.org",
        "http://a.org/#x",
        "http://",
    ):
        text = why_not(bucket.uri(), endpoint_url=wrong)
        assert "expected http(s)://host[:port]" in text and "pw" not in text
    with pytest.raises(SourceError, match=r"notes\.txt is a file that cannot be read as images"):
        bucket.put("notes.txt", b"hello")
        open_source(bucket.uri("notes.txt"), endpoint_url=storage)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    remote._systems.clear()
    assert "--anonymous" in why(bucket.uri("run/a.png") + via)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    remote._systems.clear()
    assert "AWS_PROFILE" in why(bucket.uri("run/a.png") + via)


def test_a_bucket_that_may_not_be_listed(web: WebServer):
    denied = b"<Error><Code>AccessDenied</Code></Error>"
    web.routes["/bucket"] = Answer(denied, 403, {"Content-Type": "application/xml"})
    reason = "s3://bucket/run: it may not be read (403): expected credentials or --anonymous"
    assert why_not("s3://bucket/run", endpoint_url=web.url) == reason
    assert "open to all" in why_not("s3://bucket", endpoint_url=web.url, anonymous=True)


def test_a_listing_without_end(web: WebServer, monkeypatch: pytest.MonkeyPatch):
    web.routes["/bucket"] = _PAGE
    tree, _ = open_tree("s3://bucket", Given(endpoint_url=web.url))
    with pytest.raises(SourceError, match="does not end"):
        tree.files()
    monkeypatch.setattr(remote_s3, "MAX_PAGES", 5)
    web.asked.clear()
    web.routes["/bucket"] = lambda _handler: Answer(_PAGE.replace(b"t\n", b"%d" % len(web.asked)))
    with pytest.raises(SourceError, match="does not end"):
        open_tree("s3://bucket", Given(endpoint_url=web.url))[0].files()
    assert len(web.asked) == 6
    web.routes["/bucket"] = _PAGE + b" " * (33 * 2**20)
    assert "more than the 33,554,432 allowed" in why_not("s3://bucket/x", endpoint_url=web.url)


_PAGE = b"""<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t
</NextContinuationToken><Contents><Key>x.png</Key><Size>1</Size><ETag>"a"</ETag></Contents>
</ListBucketResult>"""


def test_a_tree_says_which_of_its_files_cannot_be_read(storage: str):
    bucket = Bucket(storage)
    bucket.put("run/a.png", b"a")
    tree, _ = open_tree(bucket.uri("run"), Given(endpoint_url=storage))
    tree.files()
    bucket.delete("run/a.png")
    with pytest.raises(SourceError, match=r"^a\.png: the bucket holds no such object$"):
        tree.read("a.png")


# who is asked, with what


def secrets_in(asked: list[tuple[str, dict[str, str]]]) -> list[bool]:
    return ["authorization" in headers or "signature" in path.lower() for path, headers in asked]


def test_credentials_are_spent_only_where_they_are_meant(
    storage: str, monkeypatch: pytest.MonkeyPatch
):
    bucket = Bucket(storage, public=True)
    bucket.put("run/a.png", b"a")
    proxy = FaultyProxy(storage)

    def asked(**given: Any) -> list[bool]:
        proxy.asked.clear()
        tree, _ = open_tree(bucket.uri("run"), Given(endpoint_url=proxy.url, **given))
        assert tree.read("a.png") == b"a" and len(tree.files()) == 1
        assert len(proxy.asked) == 3
        assert not any("hush-hush" in f"{each}" for each in proxy.asked)
        return secrets_in(proxy.asked)

    assert asked() == [True] * 3
    assert asked(anonymous=True) == [False] * 3
    monkeypatch.setenv("PLANKTON_ALLOW_PRIVATE", "1")
    assert asked(bounded=True) == [False] * 3
    monkeypatch.delenv("PLANKTON_ALLOW_PRIVATE")
    monkeypatch.setattr(remote_guard, "is_public", lambda _address: True)
    assert asked(bounded=True) == [False] * 3
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "0.0.0.0"])
def test_a_page_reads_nothing_of_this_machine(
    web: WebServer, storage: str, host: str, monkeypatch: pytest.MonkeyPatch
):
    web.routes["/x.png"] = b"secret"
    url = f"http://{host}:{web.server_port}/x.png"
    assert REFUSED in why(f"{url}#via=public")
    assert REFUSED in why_not(url, bounded=True)
    assert REFUSED in why_not("s3://bucket", bounded=True, endpoint_url=url.rpartition("/")[0])
    assert REFUSED in why(f"s3://bucket/x.png#via=public,http://{host}:{web.server_port}")
    assert web.asked == []
    assert read(url) == b"secret"  # the command line may
    monkeypatch.setenv("PLANKTON_ALLOW_PRIVATE", "1")
    assert read(f"{url}#via=public") == b"secret"


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "127.0.0.1."])
def test_odd_ways_to_write_this_machine(web: WebServer, host: str):
    why(f"http://{host}:{web.server_port}/x.png#via=public")
    why(f"s3://bucket/x.png#via=public,http://{host}:{web.server_port}")
    assert web.asked == []


@pytest.mark.parametrize("host", ["10.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"])
def test_a_page_reads_nothing_of_the_neighbourhood(host: str):
    assert REFUSED in why(f"http://{host}/x.png#via=public")
    assert REFUSED in why(f"s3://bucket/x.png#via=public,http://{host}:9000")


def test_a_name_that_resolves_to_this_machine(web: WebServer, monkeypatch: pytest.MonkeyPatch):
    web.routes["/x.png"] = b"secret"
    real = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host == "nice.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    url = f"http://nice.example:{web.server_port}/x.png"
    assert read(url) == b"secret"
    web.asked.clear()
    assert REFUSED in why(f"{url}#via=public")
    assert web.asked == []


def test_a_redirect_to_this_machine(web: WebServer, monkeypatch: pytest.MonkeyPatch):
    inside = WebServer("127.0.0.2")
    inside.routes["/x.png"] = b"secret"
    moved = Answer(status=302, headers={"Location": f"{inside.url}/x.png"})
    web.routes["/x.png"] = moved
    web.routes["/bucket/x.png"] = replace(moved, status=307)
    monkeypatch.setattr(remote_guard, "is_public", lambda address: address == "127.0.0.1")
    assert REFUSED in why(f"{web.url}/x.png#via=public")
    assert REFUSED in why(f"s3://bucket/x.png#via=public,{web.url}")
    assert inside.asked == [] and len(web.asked) == 2
    assert read(f"{web.url}/x.png") == b"secret"
    inside.shutdown()
    inside.server_close()


def test_a_page_trusts_no_proxy_of_the_environment(
    web: WebServer, storage: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.setenv("HTTP_PROXY", web.url)
    assert REFUSED in why("http://127.0.0.3:9/x.png#via=public")
    assert REFUSED in why("s3://bucket/x.png#via=public,http://127.0.0.3:9")
    assert web.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        *((each, False) for each in ("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1")),
        *((each, False) for each in ("192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0")),
        *((each, False) for each in ("224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1")),
        *((each, False) for each in ("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1")),
        *((each, False) for each in ("::ffff:10.0.0.1", "::ffff:93.184.216.34", "::127.0.0.1")),
        *((each, False) for each in ("64:ff9b::a00:1", "2002:7f00:1::", "2001:0:1::", "fec0::1")),
        ("", False),
    ],
)
def test_public_addresses(address: str, public: bool):
    assert is_public(address) == public


# the web


def test_a_file_of_the_web_and_parts_of_it(web: WebServer):
    data = bytes(range(256)) * 1_000

    def ranged(handler: Handler) -> Answer:
        first, last = handler.headers["Range"].removeprefix("bytes=").split("-")
        part = data[int(first) : int(last or len(data)) + 1]
        if not part:
            return Answer(status=416)
        return Answer(part, 206, {"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/*"})

    web.routes["/ignores range.bin"] = data
    web.routes["/ignores%20range.bin"] = data
    web.routes["/ranges.bin"] = ranged
    for name in ("ignores range.bin", "ranges.bin"):
        uri = f"{web.url}/{name}"
        assert read(uri, start=1_000, size=10) == data[1_000:1_010]
        assert read(uri, start=len(data) - 5) == data[-5:]
        assert read(uri, start=len(data) - 5, size=10) == data[-5:]
        assert read(uri, start=len(data) + 5, size=10) == b""
        assert read(uri, start=255_900, size=200, limit=200) == data[255_900:]
    assert read(f"{web.url}/ignores%20range.bin#a-place-in-it") == data
    web.routes["/other.bin"] = Answer(b"12345", 206, {"Content-Range": "bytes 0-4/99"})
    assert "another part" in why(f"{web.url}/other.bin", start=7, size=5)


def test_what_fails_in_passing_is_asked_for_again(web: WebServer):
    seen: dict[str, int] = {}

    def at_last(first: Answer) -> Callable[[Handler], Answer]:
        def route(handler: Handler) -> Answer:
            seen[handler.path] = seen.get(handler.path, 0) + 1
            return first if seen[handler.path] < 4 else Answer(b"here")

        return route

    faults = {
        "/500": Answer(b"", 500),
        "/503": Answer(b"", 503, {"Retry-After": "0"}),
        "/429": Answer(b"", 429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        "/short": Answer(b"here, and more", cut=4),
        "/nothing": Answer(b"here", cut=0),
    }
    for path, fault in faults.items():
        web.routes[path] = at_last(fault)
        assert read(f"{web.url}{path}") == b"here"
        assert seen[path] == 4
        web.routes[path] = fault
        asked = len(web.asked)
        assert "given up after 4 tries" in why(f"{web.url}{path}")
        assert len(web.asked) == asked + 4


def test_a_server_that_is_down_is_not_waited_for_again_and_again(web: WebServer):
    web.routes |= {"/here": b"here", "/down": Answer(status=503)}
    for _ in range(remote_base.DOWN_AFTER):
        assert "given up after 4 tries" in why(f"{web.url}/down")
    asked = len(web.asked)
    assert "given up after a try, as for others before" in why(f"{web.url}/down")
    assert len(web.asked) == asked + 1
    assert read(f"{web.url}/here") == b"here"
    assert "given up after 4 tries" in why(f"{web.url}/down")


def test_what_stays_wrong_is_asked_for_once(web: WebServer):
    web.routes |= {
        "/403": Answer(status=403),
        "/410": Answer(status=410),
        "/418": Answer(status=418),
        "/round": Answer(status=302, headers={"Location": "/round"}),
        "/file": Answer(status=302, headers={"Location": "file:///etc/passwd"}),
    }
    reasons = {path: why(f"{web.url}{path}") for path in ("/404", *web.routes)}
    assert "no such file (404)" in reasons["/404"] and "no such file (410)" in reasons["/410"]
    assert "may not be read (403)" in reasons["/403"]
    assert "answered 418" in reasons["/418"]
    assert "more than 5 times" in reasons["/round"]
    assert "no web address" in reasons["/file"]
    assert web.paths().count("/404") == 1 and web.paths().count("/round") == 6
    assert "no server called" in why("http://there-is-none.invalid/x.png")
    assert "no web address" in why("http://[oops/x.png")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "does not answer (127.0.0.1); given up after 4 tries" in why(f"http://127.0.0.1:{port}/")


def test_no_more_is_taken_than_allowed(web: WebServer):
    packed = gzip.compress(bytes(5_000_000))
    web.routes |= {
        "/said": bytes(2_000),
        "/unsaid": Answer(bytes(2_000), announced=False),
        "/packed": Answer(packed, headers={"Content-Encoding": "gzip"}),
        "/small": Answer(gzip.compress(b"small"), headers={"Content-Encoding": "gzip"}),
    }
    assert len(packed) < 10_000
    for path in ("/said", "/unsaid"):
        assert "more than the 1,999 allowed" in why(f"{web.url}{path}", limit=1_999)
        assert len(read(f"{web.url}{path}", limit=2_000)) == 2_000
    assert "more than the 1,000,000 allowed" in why(f"{web.url}/packed", limit=10**6)
    assert read(f"{web.url}/small") == b"small"


def test_a_server_that_drips(web: WebServer, monkeypatch: pytest.MonkeyPatch):
    web.routes["/x"] = b"here"
    monkeypatch.setattr(remote_base, "BODY_S", -1.0)
    assert "its server is too slow" in why(f"{web.url}/x")
    assert len(web.asked) == 1


def test_what_a_signed_address_gives_rights_by_is_told_nobody(web: WebServer):
    uri = f"{web.url}/x.png?w=5&X-Amz-Signature=hush&token=hush2".replace("//", "//me:hush3@")
    with pytest.raises(ImageError) as caught:
        read(uri)
    assert "hush" not in str(caught.value) and "w=5" in str(caught.value)
    assert "hush" not in shown(uri)
    assert "hush" not in why_not(uri)
    assert caught.value.reason == "its server has no such file (404); check the address"


def test_a_web_page_a_table_and_a_picture(web: WebServer):
    web.routes |= {
        "/": Answer(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}),
        "/run/": Answer(b"?", headers={"Content-Type": "text/plain"}),
        "/run/table.csv": Answer(b"uri\na.png\n", headers={"ETag": '"abc"'}),
        "/run/a%20b.png": picture(),
        "/run/a": picture(),
    }
    for page in ("/", "/run/"):
        assert "web pages cannot be listed; expected" in why_not(f"{web.url}{page}")
    assert "zip is read from the disk" in why_not(f"{web.url}/run/c.zip")
    assert "names no server" in why_not("https:///x.png")
    for name in ("%2Fetc%2Fx.lst", "..%5Cx.csv", "a%00.csv"):
        assert "holds what no file's may" in why_not(f"{web.url}/run/{name}")
    tree, given = open_tree(f"{web.url}/run/table.csv?v=1", Given(anonymous=True))
    assert (tree.name, tree.root, given.only) == (
        *("run", f"{web.url}/run#via=anonymous"),
        "table.csv",
    )
    assert tree.files() == (File("table.csv", 10, "abc:10"),)
    assert tree.read("table.csv") == b"uri\na.png\n" and tree.read("table.csv", first=3) == b"uri"
    assert web.asked[-1][0] == "/run/table.csv?v=1"
    with pytest.raises(SourceError, match=r"table\.csv\?v=1: 10 bytes is more than the 9"):
        tree.read("table.csv", limit=9)
    with pytest.raises(SourceError, match=r"b\.png: its server has no such file"):
        tree.read("b.png")
    for address in ("/run/a%20b.png", "/run/a%20b.png?size=9", "/run/a"):
        source = open_source(f"{web.url}{address}")
        (ref,) = source.refs()
        assert isinstance(ref, ImageRef)
        assert read_bytes(join(source.root, ref.inner)) == picture()
    for name in ("a%2Fb.png", "a%3Fb.png"):
        web.routes[f"/run/{name}"] = picture()
        assert "write the address into the uri column of a table" in why_not(
            f"{web.url}/run/{name}"
        )


# reading ahead


def test_objects_come_in_order_however_they_fail(storage: str):
    bucket = Bucket(storage)
    names = [f"{n:03d}" for n in range(300)]
    for name in names:
        bucket.put_many([name], name.encode() * 50)
    missing = {f"/{bucket.name}/{names[n]}" for n in (5, 77, 299)}
    proxy = FaultyProxy(storage, share=0.1, missing=missing, seed=1)
    uris = [f"{bucket.uri(name)}#via={proxy.url}" for name in names]
    uris.insert(100, "/a/file/of/this/machine.png")
    with ReadAhead(uris, together=8, ahead=40, room=2_000) as ahead:
        for n, uri in enumerate(uris):
            found = ahead.next()
            ahead.done()
            if n == 100:
                assert found is None
            elif parse(uri).place.removeprefix(bucket.name) in {
                path.removeprefix(f"/{bucket.name}") for path in missing
            }:
                assert isinstance(found, ImageError)
                assert found.reason == "the bucket holds no such object"
            else:
                assert found == parse(uri).place[-3:].encode() * 50
    assert set(proxy.faults) == {"500", "503", "gone", "short"}
    proxy.shutdown()
    proxy.server_close()


def test_triggers_of_a_bin_are_read_ahead_as_well(storage: str):
    bucket = Bucket(storage)
    name = "D20240102T030405_IFCB123"
    lines = [",".join(["0"] * 13 + ["1", "2", "3", "4", f"{12 * n}"]) for n in range(20)]
    bucket.put(f"bins/{name}.adc", "\n".join(lines).encode())
    bucket.put(f"bins/{name}.roi", bytes(range(240)))
    uris = [f"{bucket.uri(f'bins/{name}.roi')}#{n:05d}#via={storage}" for n in range(1, 22)]
    with ReadAhead(uris) as ahead:
        for n in range(20):
            found = ahead.next()
            assert isinstance(found, bytes) and found.endswith(bytes(range(12 * n, 12 * n + 12)))
            ahead.done()
        assert isinstance(ahead.next(), ImageError)


def test_so_many_at_a_time_and_no_more(web: WebServer):
    now, most, gate = [0], [0], threading.Event()

    def slow(_handler: Handler) -> Answer:
        with web.lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait(0.05)
        with web.lock:
            now[0] -= 1
        return Answer(bytes(1_000))

    web.routes = {f"/{n}": slow for n in range(60)}
    with ReadAhead([f"{web.url}/{n}" for n in range(60)], together=6, ahead=30) as ahead:
        assert not ahead.ready()
        until(lambda: len(web.asked) == 30)  # nothing is done with yet
        until(ahead.ready)
        gate.set()
        for _ in range(60):
            assert ahead.next() == bytes(1_000)
            ahead.done()
    assert 1 < most[0] <= 6


def test_one_object_larger_than_the_room_passes_when_it_is_first(web: WebServer):
    sizes = [10, 300_000, 10, 200_000, 400_000, 10]
    web.routes = {f"/{n}": bytes(size) for n, size in enumerate(sizes)}
    with ReadAhead([f"{web.url}/{n}" for n in range(6)], room=1_000, limit=350_000) as ahead:
        for size in sizes:
            found = ahead.next()
            ahead.done()
            assert isinstance(found, ImageError) if size > 350_000 else found == bytes(size)


def test_room_is_given_to_who_fits_and_to_the_first():
    async def run() -> list[str]:
        room, order = Room(10), []

        async def reader(turn: int, size: int) -> None:
            await room.take(turn, size)
            order.append(f"{turn} in")

        await room.take(0, 8)
        waiting = [
            asyncio.create_task(reader(turn, size)) for turn, size in ((1, 50), (2, 2), (3, 4))
        ]
        await asyncio.sleep(0)
        assert order == ["2 in"]
        room.give(8)
        await asyncio.sleep(0.01)
        assert order == ["2 in", "3 in"]
        room.advance()
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(run()) == ["2 in", "3 in", "1 in"]


def test_who_stops_leaves_nothing_open(web: WebServer):
    left = threading.Event()

    def endless(handler: Handler) -> Answer:
        handler.connection.recv(1)  # until the reader goes
        left.set()
        return Answer(b"")

    web.routes["/x"] = endless
    with ReadAhead([f"{web.url}/x"]) as ahead:
        assert not ahead.ready()
        until(lambda: web.asked)
    assert left.wait(20)


# the whole way


def test_a_bucket_is_indexed_and_indexed_again(library: Library, storage: str):
    bucket = Bucket(storage)
    for n in range(6):
        bucket.put(f"run/day {n % 2}/{n}.png", picture(n))
    bucket.put("run/notes.txt", b"hello")
    bucket.put("run/broken.png", b"no picture")
    options = {"collection": "c", "source": bucket.uri("run")}
    proxy = FaultyProxy(storage)
    options["endpoint_url"] = proxy.url
    first = index(library, samples_from="folder", **options)
    assert (first.indexed, first.updated, first.already, first.skipped_count) == (6, 0, 0, 2)
    proxy.asked.clear()
    again = index(library, **options)
    assert {path for path in proxy.paths() if "png" in path} == {f"/{bucket.name}/run/broken.png"}
    assert (again.indexed, again.updated, again.already, again.skipped_count) == (0, 0, 6, 2)
    bucket.put("run/day 1/3.png", picture(99))
    bucket.delete("run/day 0/2.png")
    third = index(library, **options)
    assert (third.indexed, third.updated, third.already) == (0, 1, 4)
    proxy.shutdown()
    proxy.server_close()  # the bucket is out of reach; what pages show is here
    rows = library.catalogue.image_rows(library.catalogue.collection("c").uid)
    folder = library.workspace.thumbnails(library.catalogue.collection("c").uid)
    assert [row.id for row in rows] == [f"run/day {n % 2}/{n}.png" for n in (0, 2, 4, 1, 3, 5)]
    assert [row.sample for row in rows] == ["day 0"] * 3 + ["day 1"] * 3
    for row in rows:
        with Image.open(thumbnail_path(folder, row.content_hash)) as thumbnail:
            assert np.asarray(thumbnail).any()
    with pytest.raises(ImageError, match="does not answer"):
        read_bytes(f"{bucket.uri('run/day 1/3.png')}#via={proxy.url}")


@pytest.mark.slow
def test_of_a_failing_storage_only_what_is_missing_is_missed(library: Library, storage: str):
    bucket = Bucket(storage)
    keys = [f"run/{n:03d}.png" for n in range(200)]
    for n, key in enumerate(keys):
        bucket.put_many([key], picture(n))
    missing = {f"/{bucket.name}/{keys[n]}" for n in (0, 60, 61, 199)}
    proxy = FaultyProxy(storage, share=0.02, missing=missing, seed=3)
    report = index(library, collection="c", source=bucket.uri("run"), endpoint_url=proxy.url)
    assert (report.indexed, report.skipped_count) == (196, 4)
    assert [s.reason for s in report.skipped] == ["the bucket holds no such object"] * 4
    assert {parse(s.uri).place for s in report.skipped} == {path[1:] for path in missing}
    assert proxy.faults.total() >= 3
    proxy.missing = set()
    again = index(library, collection="c", source=bucket.uri("run"), endpoint_url=proxy.url)
    assert (again.indexed, again.already, again.skipped_count) == (4, 196, 0)
    proxy.shutdown()
    proxy.server_close()


def test_a_page_cannot_index_a_bucket_of_the_neighbourhood(library: Library, storage: str):
    with pytest.raises(CoreError, match=REFUSED):
        index(library, collection="c", source="s3://bucket", endpoint_url=storage, bounded=True)
