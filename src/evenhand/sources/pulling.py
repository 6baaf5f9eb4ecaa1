"""Fetching files of the table over HTTPS: resumed, checked, and stored completely or not at all.

No address of the table is a data set of a model hub, so plain HTTPS suffices.
"""

from __future__ import annotations

from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from evenhand.errors import BadData, EnvironmentProblem, UsageError
from evenhand.files import disk_errors
from evenhand.hashing import file_sha256
from evenhand.locks import alone
from evenhand.progress import Advance, task
from evenhand.sources import PART, VARIABLE, Entry, check, pulled_folder, quarantine

TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 16
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def pull(wanted: Entry) -> Path:
    """Fetch one file into the cache and return its place; a right one that is there already is kept.

    What an interrupted pull has left (``.part``) is continued where the server can.

    Raises:
        EnvironmentProblem: the address cannot be reached or does not answer with the file.
        BadData: the file that came is not the one that the table describes; it is kept aside.
        NoSpace: the disk is full or not writable.
    """
    target = pulled_folder() / wanted.name
    if target.is_file():
        check(target, wanted)
        return target
    with disk_errors(target), alone(target.parent):
        if not target.is_file():  # another process may have fetched it meanwhile
            _download(wanted, target)
    return target


def _download(wanted: Entry, target: Path) -> None:
    part = target.with_name(target.name + PART)
    with task(f"pulling {wanted.name}", wanted.size, unit="byte") as advance:
        _fetch(wanted, part, advance)
    _check(part, wanted)
    part.replace(target)


def _fetch(wanted: Entry, part: Path, advance: Advance) -> None:
    """Download the bytes that `part` lacks of `wanted`."""
    have = part.stat().st_size if part.exists() else 0
    if have > wanted.size:
        part.unlink()
        have = 0
    if have == wanted.size:
        return
    try:
        with _open(wanted, have) as answer:
            resumed = answer.status == 206 and _starts_at(answer, have)
            advance(have if resumed else 0)
            _write(answer, part, advance, limit=wanted.size - (have if resumed else 0), append=resumed)
    except HTTPError as error:
        if error.code == 416 and have:  # the server rejects the range: start from the beginning
            part.unlink()
            _fetch(wanted, part, advance)
            return
        raise _failed(wanted, f"it answers {error.code} {error.reason}") from None
    except URLError as error:
        raise _failed(wanted, str(error.reason)) from None
    except (TimeoutError, HTTPException, ConnectionError) as error:
        raise _failed(wanted, f"the connection broke ({type(error).__name__})") from None
    if part.stat().st_size < wanted.size:
        raise _failed(wanted, f"the connection ended after {part.stat().st_size} of {wanted.size} bytes")


def _open(wanted: Entry, have: int) -> HTTPResponse:
    address = urlsplit(wanted.url)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise UsageError(f"{wanted.url} is not an HTTPS address.", mend="Use one that starts with https://")
    headers = {"User-Agent": "evenhand"} | ({"Range": f"bytes={have}-"} if have else {})
    answer: HTTPResponse = urlopen(Request(wanted.url, headers=headers), timeout=TIMEOUT)
    return answer


def _starts_at(answer: HTTPResponse, have: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _write(answer: HTTPResponse, part: Path, advance: Advance, *, limit: int, append: bool) -> None:
    """Write the answer to `part`, at most one byte more than `limit`: it shows that a file is too long."""
    left = limit + 1
    with part.open("ab" if append else "wb") as file:
        while left > 0 and (data := answer.read(min(_CHUNK, left))):
            file.write(data)
            left -= len(data)
            advance(len(data))


def _check(part: Path, wanted: Entry) -> None:
    found = file_sha256(part)
    if found == wanted.sha256:
        return
    raise BadData(
        f"What {wanted.url} sent is not the file {wanted.name} that evenhand knows: its SHA-256 is "
        f"{found[:12]}..., not {wanted.sha256[:12]}... {quarantine(part)}",
        mend="Try again later; if the same error comes again, the file has changed at its source. A right "
        f"copy from elsewhere works as well: put it below a folder and set {VARIABLE}.",
    )


def _failed(wanted: Entry, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"{wanted.name} cannot be fetched from {wanted.url}: {why}.",
        mend="Run the same command again: it goes on where it stopped. Without a network, get the file "
        f"elsewhere and set {VARIABLE} to the folder that holds it as {wanted.name}.",
    )
