"""The block map: where a locator finds the bias, and every figure of the block that the reader chooses.

Attributions hold no interval for a block's score, so none is drawn; what a locator says of the scores' spread
stands among a block's figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.decimals import number
from evenhand.records import Attribution, Verification
from evenhand.reports import figures, sentences, tables
from evenhand.reports.plots import Plot

NO_INTERVAL = (
    "A locator gives one score a block, without an interval: a small difference between two blocks may be "
    "chance."
)
MOST = 1500  # blocks or heads whose figures a page holds for the reader's choice
_HEAD = re.compile(r"(.+)\.head\.(\d+)")


@dataclass(frozen=True, slots=True)
class BlockMap:
    """A locator's result: the plot and its sentences."""

    locator: str
    top: str
    sentence: str
    specific: bool
    reading: str
    nothing: str
    plot: Plot


@dataclass(frozen=True, slots=True)
class Map:
    """All locators of a page, and for each block its figures as (what, figure) for the reader's choice.

    `figures` is empty where there are too many blocks; `chosen` is the block that is shown first.
    """

    maps: tuple[BlockMap, ...]
    figures: Mapping[str, tuple[tuple[str, str], ...]]
    chosen: str


def of(locations: Sequence[Attribution], treated: Sequence[str] = ()) -> Map:
    """The maps of several locators; `treated` are the blocks that a treatment changed."""
    maps = tuple(block_map(location, place) for place, location in enumerate(locations))
    names = dict.fromkeys(score.site for location in locations for score in location.scores)
    own = names if len(names) <= MOST else ()
    found = {name: tuple(_figures(name, locations, treated)) for name in own}
    about = next((one for one in locations if one.specific), next(iter(locations), None))
    return Map(maps, found, "" if about is None else about.top)


def treated_blocks(record: Verification) -> tuple[str, ...]:
    """The blocks that the treatment's proof names; empty where it names none."""
    details = record.proof.get("details", {})
    blocks = details.get("blocks", ()) if isinstance(details, Mapping) else ()
    return tuple(map(str, blocks)) if isinstance(blocks, list | tuple) else ()


def block_map(location: Attribution, place: int = 0) -> BlockMap:
    """The block map of one locator."""
    alt = (
        f"Score of {location.locator} for each block in order of depth; higher means a larger effect. "
        f"The highest is {location.top}."
    )
    heads = _by_head(location)
    drawn = figures.blocks(location) if heads is None else figures.heat(*heads, location.locator)
    return BlockMap(
        locator=location.locator,
        top=location.top,
        sentence=sentences.locator_sentence(location),
        specific=location.specific,
        reading=location.reading,
        nothing=sentences.found_nothing(location),
        plot=Plot(f"blocks-{place}", alt, drawn, tables.blocks(location)),
    )


def _by_head(location: Attribution) -> tuple[list[str], list[str], list[list[float | None]]] | None:
    """Blocks, heads and scores [blocks][heads] where every site is a head; None for other sites."""
    found = [(_HEAD.fullmatch(score.site), score.value) for score in location.scores]
    cells = {(match[1], match[2]): value for match, value in found if match is not None}
    if len(cells) < len(found) or not cells:
        return None
    blocks = list(dict.fromkeys(block for block, _ in cells))
    heads = sorted(dict.fromkeys(head for _, head in cells), key=int)
    return blocks, heads, [[cells.get((block, head)) for head in heads] for block in blocks]


def _figures(
    site: str, locations: Sequence[Attribution], treated: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """What is known of one block: each locator's score, rank and further figures; whether it was treated."""
    for location in locations:
        sites = [score.site for score in location.scores]
        if site not in sites:
            continue
        place = sites.index(site)
        rank = location.ranking().index(site) + 1
        yield f"{location.locator}: score", number(location.scores[place].value)
        yield f"{location.locator}: rank", f"{rank} of {len(sites)}"
        for name, values in _by_site(location.details, len(sites)):
            yield f"{location.locator}: {name}", number(values[place])
    if treated:
        inside = any(site == block or site.startswith(f"{block}.") for block in treated)
        yield "changed by the treatment", "yes" if inside else "no"


def _by_site(details: Mapping[str, Any], n: int, before: str = "") -> Iterator[tuple[str, Sequence[Any]]]:
    """Every list of the details that has one figure for each of `n` blocks, with its name."""
    for key, value in details.items():
        name = before + str(key).replace("_", " ")
        if isinstance(value, Mapping):
            yield from _by_site(value, n, f"{name}, ")
        elif isinstance(value, list | tuple) and len(value) == n and all(map(_is_figure, value)):
            yield name, value


def _is_figure(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
