"""Whom a page may make this machine ask: public addresses only, and nobody's credentials told."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from core.settings import TRUE

NOT_PUBLIC = (
    "it leads to an address that is not public; expected a public one (PLANKTON_ALLOW_PRIVATE=1, "
    "set where the dashboard is started, allows others)"
)


class RefusedError(Exception):
    """What asking again does not change; its text is the reason, for a person."""


class NotPublicError(OSError):
    """A connection to a private address was about to be made."""

    def __init__(self) -> None:
        super().__init__("not a public address")  # one text, or they would be joined to another


@dataclass(frozen=True)
class Way:
    """How the objects of a uri are read; what its ``#via=`` says."""

    anonymous: bool = False
    """Without credentials."""
    public: bool = False
    """Only from public addresses, whatever the environment says of proxies."""
    endpoint: str | None = None
    """Where the object storage answers; None is where the environment says, else Amazon's."""

    @classmethod
    def of(cls, words: tuple[str, ...]) -> Way:
        """Raises `RefusedError` for a word that means nothing."""
        anonymous = public = False
        endpoint = None
        for word in words:
            if word == "anonymous":
                anonymous = True
            elif word == "public":
                anonymous = public = True
            elif word.startswith(("http://", "https://")):
                endpoint = word
            else:
                raise RefusedError(
                    f"'via={word}' is no way to read it; expected anonymous, public or the address "
                    "of an object storage"
                )
        return cls(anonymous, public and not private_allowed(), endpoint)


def private_allowed() -> bool:
    """Whether whoever started this process allows pages to read private addresses."""
    return os.environ.get("PLANKTON_ALLOW_PRIVATE", "").lower() in TRUE


_TUNNELS = tuple(
    map(
        ipaddress.IPv6Network,
        ["::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"],
    )
)
"""Addresses that stand for IPv4 ones: translated (NAT64), mapped, tunnelled."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody could reach.

    Examples
    --------
    >>> is_public("93.184.216.34"), is_public("10.1.2.3"), is_public("::ffff:93.184.216.34")
    (True, False, False)
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.version == 6 and (ip.is_site_local or any(ip in each for each in _TUNNELS)):
        return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_reserved or ip.is_link_local or ip.is_unspecified
    )


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """A socket for the address a name was just resolved to: what is checked is what is used.

    Raises
    ------
    NotPublicError
        If only this machine or its neighbours have such an address.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise NotPublicError
    return socket.socket(family=family, type=kind, proto=protocol)


def is_refused(error: BaseException) -> bool:
    """Whether a library's error stands for `NotPublicError`."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or any(each is one for one in seen):
            continue
        if isinstance(each, NotPublicError):
            return True
        seen.append(each)
        named = getattr(each, "kwargs", None)
        waiting += [each.__cause__, each.__context__, getattr(each, "os_error", None)]
        waiting.append(named.get("error") if isinstance(named, dict) else None)
    return False


_SECRET = re.compile(
    r"sig|token|secret|credential|passw|auth|key|policy|session|expires", re.IGNORECASE
)


def shown(uri: str) -> str:
    """A uri without what gives its reader rights.

    Examples
    --------
    >>> shown("https://me:pw@a.org/x.png?w=9&X-Amz-Signature=f00")
    'https://a.org/x.png?w=9&X-Amz-Signature=...'
    >>> shown("/data/a?token=b.png")
    '/data/a?token=b.png'
    """
    if not uri.lower().startswith(("http://", "https://")):
        return uri
    try:
        scheme, place, path, query, fragment = urlsplit(uri)
    except ValueError:
        return uri.partition("?")[0]
    words = []
    for word in query.split("&"):
        name, is_, _ = word.partition("=")
        words.append(f"{name}=..." if is_ and _SECRET.search(name) else word)
    return urlunsplit((scheme, place.rpartition("@")[2], path, "&".join(words), fragment))
