"""What is looked for in a page: faults by axe, foreign requests, failed scripts, too much width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WIDTHS = (390, 1280)  # CSS pixels: a phone and a desk
SCHEMES = ("light", "dark")
GRAVE = ("serious", "critical")  # axe's own levels
HERE = ("", "127.0.0.1", "localhost")  # hosts that are this machine; a file has none


@contextmanager
def opened(browser: str) -> Iterator[Any]:
    """A browser of playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@dataclass(frozen=True)
class Visit:
    """How a page is come to: with cookies, with headers that a proxy would add, and by what is done on it."""

    cookies: Sequence[dict[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    act: Callable[[Any], None] | None = None
    answers: int = 200


def faults(running: Any, address: str, how: Visit | None = None) -> list[str]:
    """What is wrong with the page at `address`, in every scheme and width; empty where nothing is."""
    return [
        f"{address} ({scheme}, {width} px): {fault}"
        for scheme, width in product(SCHEMES, WIDTHS)
        for fault in _faults(running, address, (scheme, width), how or Visit())
    ]


def _faults(running: Any, address: str, look: tuple[str, int], how: Visit) -> Iterator[str]:
    scheme, width = look
    found: list[str] = []
    # The page's own content policy would refuse axe; nothing else of this visit is excused from it.
    visit = running.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,
        extra_http_headers=dict(how.headers),
    )
    visit.add_cookies(list(how.cookies))
    page = visit.new_page()
    page.on("pageerror", lambda error: found.append(f"a script failed: {error}"))
    page.on(
        "request",
        lambda sent: None if _is_here(sent.url) else found.append(f"it asked {sent.url[:80]}"),
    )
    answer = page.goto(address)
    page.wait_for_load_state("load")
    page.wait_for_timeout(800)  # milliseconds: plots are drawn after the page has loaded
    if answer is not None and answer.status != how.answers and answer.status >= 400:
        found.append(f"it answers {answer.status}")
    if how.act is not None:
        how.act(page)
        page.wait_for_load_state("load")
    page.evaluate(_axe())
    for one in page.evaluate("axe.run()")["violations"]:
        if one["impact"] in GRAVE:
            where = ", ".join(str(node["target"]) for node in one["nodes"][:3])
            found.append(f"{one['impact']}: {one['help']} ({len(one['nodes'])}: {where})")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        found.append(f"it is {wide} px wide")
    visit.close()
    yield from found


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"data", "blob"} or (parts.hostname or "") in HERE


def _axe() -> str:
    import axe_playwright_python

    return (Path(str(axe_playwright_python.__file__)).parent / "axe.min.js").read_text(encoding="utf-8")
