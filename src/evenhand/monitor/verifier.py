"""Check an export of evenhand's monitor. It needs Python 3.9 or newer and nothing else.

::

    python verifier.py EXPORT [--head NUMBER:HEAD] [--key PUBLIC_KEY]

It checks the signature of ``manifest.json`` (Ed25519, RFC 8032), the SHA-256 of every file that the manifest
names, the hash chain, and that each exported event and label is the one that the chain recorded. It names
what does not hold: the file and its bytes, the record, or the entry of the chain.

An export is signed by the key that lies in it, so by itself it shows only that it is of one piece. Whoever
holds the monitor's secret can write another history and sign it. That is found with what was published
before: ``--head`` is a head of the chain from an earlier day, ``--key`` the key.

Exit: 0 everything holds, 1 something does not, 2 the export cannot be read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 65536  # bytes: each block of a file has a hash, so that a change is located
FIRST = "0" * 64  # what stands before the first entry
ITEMS = {"events": "events.jsonl", "labels": "labels.jsonl"}  # kinds of entries whose content lists digests


def canonical(value: Any) -> bytes:
    """`value` as the one JSON text that is hashed: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def content_digest(salt: bytes, content: bytes) -> str:
    """The digest of a content, which tells nothing about it once the salt is gone."""
    return hashlib.sha256(salt + content).hexdigest()


def head_of(entry: dict[str, Any]) -> str:
    """The head after `entry`: it depends on the entry and, by `previous`, on every one before it."""
    names = ("number", "time", "kind", "use_case", "digest", "previous")
    return hashlib.sha256(canonical({name: entry[name] for name in names})).hexdigest()


# Ed25519 as RFC 8032, section 5.1, describes it; a point is (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # a square root of -1
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, z - t, z + t, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


def _equal(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _point(data: bytes) -> Point | None:
    """The point of its 32 bytes; None where there is none."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


_BASE = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of `message` by the public `key` (32 bytes)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    own, r = _point(key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if own is None or r is None or _BASE is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return _equal(_times(s, _BASE), _add(r, _times(k, own)))


def chain_faults(entries: Iterator[dict[str, Any]], published: str = "") -> Iterator[str]:
    """What is wrong with a chain: each entry that was altered, left out or put in.

    `published` is a head that was written down earlier, as ``NUMBER:HEAD`` or the head alone.
    """
    number, _, head = published.rpartition(":")
    before, count, seen = FIRST, 0, not published
    for count, entry in enumerate(entries, start=1):
        name = f"entry {count} of the chain"
        if entry["number"] != count:
            yield f"{name}: it has the number {entry['number']}: an entry was left out or put in"
            return
        if entry["previous"] != before:
            yield f"{name}: it does not follow from the entry before it"
        if entry["head"] != head_of(entry):
            yield f"{name}: its time, kind or digest was altered"
        salt, content = entry["salt"], entry["content"]
        if (
            content is not None
            and content_digest(bytes.fromhex(salt or ""), content.encode()) != entry["digest"]
        ):
            yield f"{name} ({entry['kind']}): its content was altered"
        before = entry["head"]
        if published and before == head and number in ("", str(count)):
            seen = True
    if not seen:
        yield f"the head {published} that was published earlier is not in this chain: it was rewritten"


class Unreadable(Exception):
    """The folder is no export."""


def faults(folder: Path, head: str = "", key: str = "") -> Iterator[str]:
    """What does not hold in the export in `folder`; nothing if everything does.

    Raises:
        Unreadable: there is no manifest, key or signature in it.
    """
    raw, public, signature = (
        _bytes(folder / name) for name in ("manifest.json", "public.key", "manifest.sig")
    )
    try:
        own, sealed = bytes.fromhex(public.decode().strip()), bytes.fromhex(signature.decode().strip())
    except ValueError:
        raise Unreadable("public.key and manifest.sig hold hexadecimal digits") from None
    if key and own.hex() != key.strip().lower():
        yield "public.key: it is not the key that was published"
    if not signed(own, raw, sealed):
        yield "manifest.json: its signature does not hold, so nothing it says can be relied on"
    try:
        manifest = json.loads(raw)
        listed = manifest["files"]
    except (ValueError, KeyError, TypeError):
        raise Unreadable("manifest.json is no manifest") from None
    for name, about in sorted(listed.items()):
        yield from _file_faults(folder, name, about)
    others = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    for name in sorted(others - set(listed) - {"manifest.json", "manifest.sig", "public.key"}):
        yield f"{name}: the manifest does not name it"
    yield from _record_faults(folder, manifest, head)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error}") from None


def blocks_of(path: Path) -> tuple[str, list[str]]:
    """The SHA-256 of a file, and the first 16 digits of that of each block of 65536 bytes."""
    whole, found = hashlib.sha256(), []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
            found.append(hashlib.sha256(block).hexdigest()[:16])
    return whole.hexdigest(), found


def _file_faults(folder: Path, name: str, about: dict[str, Any]) -> Iterator[str]:
    path = folder / name
    if folder.resolve() not in path.resolve().parents:
        yield f"{name}: the manifest names a file outside the export"
        return
    try:
        size, (whole, blocks) = path.stat().st_size, blocks_of(path)
    except OSError:
        yield f"{name}: it is missing"
        return
    if whole != about["sha256"]:
        places = [n for n, (a, b) in enumerate(zip(blocks, about["blocks"])) if a != b]  # noqa: B905
        start = (places[0] if places else min(len(blocks), len(about["blocks"]))) * BLOCK
        end = min(start + BLOCK, size)
        told = f"in bytes {start} to {end}" if end > start else f"at byte {start}"
        yield f"{name}: it was altered {told} ({size} bytes, {about['bytes']} when it was signed)"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _record_faults(folder: Path, manifest: dict[str, Any], head: str) -> Iterator[str]:
    try:
        entries = list(_lines(folder / "chain.jsonl"))
        yield from chain_faults(iter(entries), head)
        last = entries[-1]["head"] if entries else FIRST
        if last != manifest["head"]:
            yield "chain.jsonl: its last entry is not the head that the manifest names"
        for kind, name in ITEMS.items():
            yield from _item_faults(folder / name, kind, entries)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"the records cannot be read: {type(error).__name__}: {error}"


def _item_faults(path: Path, kind: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    """Whether each record is the one that the chain recorded at its entry and place."""
    digests = {e["number"]: json.loads(e["content"]) for e in entries if e["kind"] == kind and e["content"]}
    for line, record in enumerate(_lines(path), start=1):
        content, where = record["content"], f"{path.name}, record {line}"
        name = json.loads(content).get("prediction_id", "?") if content else "?"
        held, place = digests.get(record["entry"], ()), record["place"]
        own = content_digest(bytes.fromhex(record["salt"]), content.encode())
        if not 0 <= place < len(held) or held[place] != own:
            yield f"{where} (prediction {name!r}): it is not what entry {record['entry']} recorded"


def main(arguments: list[str] | None = None) -> int:
    """Check the export that the command line names, print what does not hold, and return the exit code."""
    parser = argparse.ArgumentParser(description="Check an export of evenhand's monitor.")
    parser.add_argument("export", type=Path, help="the folder")
    parser.add_argument("--head", default="", help="a head published earlier: NUMBER:HEAD, or HEAD")
    parser.add_argument("--key", default="", help="the public key that was published, in hexadecimal")
    given = parser.parse_args(arguments)
    try:
        found = list(faults(given.export, given.head.lower(), given.key))
        manifest = json.loads((given.export / "manifest.json").read_bytes())
    except Unreadable as error:
        print(f"This is no export that can be checked: {error}.", file=sys.stderr)
        return 2
    for fault in found:
        print(fault)
    if not found:
        print(
            f"Everything holds: {manifest['entries']} entries, head {manifest['entries']}:{manifest['head']}"
        )
        print(f"Signed by the key {(given.export / 'public.key').read_text().strip()}")
        if not given.head:
            print("Give --head with a head published earlier to find a chain that was rewritten as a whole.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
