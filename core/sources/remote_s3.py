"""Object storage through s3fs: how it is asked, and what its answers mean for who reads."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.sources.remote_base import (
    AGAIN,
    ANSWER_S,
    CONNECT_S,
    CONNECTIONS,
    SILENT_S,
    PassingError,
    Wanted,
    body,
    patiently,
    retry_after,
)
from core.sources.remote_guard import NOT_PUBLIC, RefusedError, Way, is_refused, public_socket
from core.sources.remote_http import failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

MAX_PAGES = 20_000
"""Of one listing; most storages put 1,000 objects on each."""
MAX_PAGE = 32 * 2**20
"""Bytes of one page of a listing; 1,000 keys of 1,024 characters are a tenth of it."""

_WHY = {
    "NoSuchBucket": "there is no such bucket; check its name and the address of the storage",
    "NoSuchKey": "the bucket holds no such object",
    "404": "the bucket holds no such object",
    "InvalidObjectState": "it lies in an archive; restore it there first",
    "ExpiredToken": "the credentials have expired; fetch new ones",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
    "InvalidAccessKeyId": "the storage does not know the credentials; check AWS_ACCESS_KEY_ID and "
    "AWS_PROFILE, or read it with --anonymous",
    "SignatureDoesNotMatch": "the storage does not accept the credentials; check "
    "AWS_SECRET_ACCESS_KEY and AWS_PROFILE, or read it with --anonymous",
    "InvalidBucketName": "the bucket's name is none; expected s3://bucket/folder",
}
SIGNED_S = 300
"""How long an address is signed for."""

_SOON = frozenset({"SlowDown", "InternalError", "RequestTimeout", "Throttling"})


@dataclass
class Storage:
    """An object storage and what was learnt of it."""

    system: Any
    """s3fs's file system, which knows credentials, profiles and regions."""
    elsewhere: set[str] = field(default_factory=set)
    """Buckets that a signed address does not reach, such as those of another region."""

    @property
    def name(self) -> str:
        """Which server it is."""
        return self.system.endpoint_url or "s3"


def open_s3(way: Way) -> Storage:
    """One of these is kept for each way of reading."""
    import s3fs  # type: ignore[import-untyped]

    config: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "read_timeout": SILENT_S,
        "max_pool_connections": CONNECTIONS,
        "retries": {"total_max_attempts": 1},  # `patiently` does it, and for bodies cut short too
        "signature_version": "s3v4",
        "response_checksum_validation": "when_required",
        "http_session_cls": _bounded_session(),
    }
    if way.public:
        config["connector_args"] = {"socket_factory": public_socket}
        config["proxies"] = {}
    return Storage(
        s3fs.S3FileSystem(
            anon=way.anonymous,
            endpoint_url=way.endpoint,
            config_kwargs=config,
            use_listings_cache=False,
            skip_instance_cache=True,
        )
    )


def _bounded_session() -> type[Any]:
    from aiobotocore.httpsession import AIOHTTPSession  # type: ignore[import-untyped]

    class BoundedSession(AIOHTTPSession):  # type: ignore[misc]
        """Listings and errors are read whole; here, up to a size."""

        async def send(self, request: Any) -> Any:
            streamed, request.stream_output = request.stream_output, True
            answer = await super().send(request)
            if not streamed or answer.status_code >= 300:
                answer._content = await body(answer.raw, Wanted(limit=MAX_PAGE))
            return answer

    return BoundedSession


async def read_s3(storage: Storage, place: str, wanted: Wanted) -> bytes:
    """The bytes of ``bucket/key``.

    Raises
    ------
    RefusedError
        If they cannot be had.
    """
    bucket, _, key = place.partition("/")
    if not bucket or not key:
        raise RefusedError("it names no object; expected s3://bucket/key")

    async def attempt() -> bytes:
        try:
            response = await _get(storage, bucket, key, wanted.range())
            if response is None:
                return b""
            async with response:
                return await body(response, wanted)
        except BaseException as error:
            if wanted.place is not None:
                wanted.place.give_back()
            if isinstance(error, (RefusedError, PassingError)) or not isinstance(error, Exception):
                raise
            raise failure(error) from None

    return await patiently(storage.name, attempt)


async def write_s3(storage: Storage, place: str, data: bytes) -> bool:
    """Write ``bucket/key``; False, and nothing written, where other bytes are already.

    Asked for before it is written: not every storage knows `If-None-Match`.

    Raises
    ------
    RefusedError
        If the storage does not take it.
    """
    bucket, _, key = place.partition("/")
    if not bucket or not key:
        raise RefusedError("it names no object; expected s3://bucket/key")
    asked = {"Bucket": bucket, "Prefix": key, "MaxKeys": 1}

    async def there() -> int | None:
        page = await _call(storage, "list_objects_v2", asked)
        first = next(iter(page.get("Contents", [])), None)  # in the order of keys: itself, if any
        return int(first["Size"]) if first is not None and first["Key"] == key else None

    async def write() -> None:
        await _call(storage, "put_object", {"Bucket": bucket, "Key": key, "Body": data})

    size = await patiently(storage.name, there)
    if size is None:
        await patiently(storage.name, write)
        return True
    return size == len(data) and await read_s3(storage, place, Wanted(limit=size)) == data


async def _get(storage: Storage, bucket: str, key: str, part: str | None) -> ClientResponse | None:
    """An answer whose body is still to be read; None if the part lies behind the object's end.

    A signed address costs half of what `get_object` does (2,500 calls of functions, not 5,100),
    which is asked where that fails: it follows a bucket to its region, and knows what is wrong.
    """
    asked = {"Bucket": bucket, "Key": key}
    found: ClientResponse
    if bucket not in storage.elsewhere:
        answer = await _get_signed(storage, asked, part)
        if answer.status_code in (200, 206):
            found = answer.raw
            return found
        if answer.status_code in AGAIN or answer.status_code > 500:
            raise PassingError(
                f"the storage has trouble ({answer.status_code})", retry_after(answer.headers)
            )
    if part is not None:
        asked["Range"] = part
    whole = await _call(storage, "get_object", asked)
    if whole is None:
        return None
    storage.elsewhere.add(bucket)
    found = whole["Body"].raw_stream
    return found


async def _get_signed(storage: Storage, asked: dict[str, str], part: str | None) -> Any:
    from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]

    try:
        client = await storage.system.set_session()
        url = await client.generate_presigned_url("get_object", asked, ExpiresIn=SIGNED_S)
        headers = {} if part is None else {"Range": part}
        request = AWSRequest("GET", url, headers, stream_output=True).prepare()
        async with asyncio.timeout(ANSWER_S):
            return await client._endpoint.http_session.send(request)  # its proxies, certificates
    except (RefusedError, PassingError, asyncio.CancelledError):
        raise
    except Exception as error:
        raise _unanswered(error) from None


async def _call(storage: Storage, what: str, asked: dict[str, Any]) -> Any:
    """An answer of the storage; None where the range asked for lies behind the object's end."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    try:
        client = await storage.system.set_session()
        async with asyncio.timeout(ANSWER_S):
            return await getattr(client, what)(**asked)
    except (RefusedError, PassingError, asyncio.CancelledError):
        raise
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("InvalidRange", "416"):
            return None
        raise _answered(error.response, anonymous=storage.system.anon) from None
    except Exception as error:
        raise _unanswered(error) from None


def _answered(response: Any, *, anonymous: bool) -> RefusedError | PassingError:
    about = response.get("ResponseMetadata", {})
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(about.get("HTTPStatusCode") or 0)
    if status in AGAIN or status > 500 or code in _SOON:
        after = retry_after(about.get("HTTPHeaders", {}))
        return PassingError(f"the storage has trouble ({status or code})", after)
    if code in _WHY:
        return RefusedError(_WHY[code])
    if status in (401, 403):
        meant = (
            "expected it to be open to all" if anonymous else "expected credentials or --anonymous"
        )
        return RefusedError(f"it may not be read ({status}): {meant}")
    if status == 404:
        return RefusedError(_WHY["NoSuchKey"])
    return RefusedError(f"the storage answered {status} ({code}); expected the object")


def _unanswered(error: Exception) -> RefusedError | PassingError:
    from botocore import exceptions  # type: ignore[import-untyped]

    if is_refused(error):
        return RefusedError(NOT_PUBLIC)
    if isinstance(error, exceptions.NoCredentialsError):
        return RefusedError(
            "there are no credentials for it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
            "AWS_PROFILE, or read it with --anonymous"
        )
    if isinstance(error, (exceptions.ProfileNotFound, exceptions.PartialCredentialsError)):
        return RefusedError(
            f"the credentials cannot be used ({error}); check AWS_PROFILE and its file"
        )
    if isinstance(error, exceptions.ParamValidationError):
        return RefusedError("the bucket's name is none; expected s3://bucket/folder")
    inner = getattr(error, "kwargs", {}).get("error")
    if isinstance(inner, Exception):
        return failure(inner)
    if isinstance(error, (exceptions.HTTPClientError, TimeoutError)):
        return PassingError("the storage did not answer in time")
    if isinstance(error, ValueError):
        return RefusedError("the address of the storage is none; expected http(s)://host[:port]")
    return failure(error)


async def pages(storage: Storage, asked: dict[str, Any]) -> AsyncIterator[list[Any]]:
    """The objects of a listing, a page at a time, each page asked for until it comes."""
    token: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        question = asked | token

        async def attempt(question: dict[str, Any] = question) -> Any:
            return await _call(storage, "list_objects_v2", question)

        page = await patiently(storage.name, attempt)
        yield page.get("Contents", [])
        following = page.get("NextContinuationToken")
        if not page.get("IsTruncated") or not following:
            return
        if following == token.get("ContinuationToken"):
            break
        token = {"ContinuationToken": following}
    raise RefusedError("its listing does not end; the storage is at fault")
