"""A run's plots as files for papers: SVG, PNG or PDF, drawn by Chromium from the figures of the report.

Colours are those of the page in light mode, on white. An index names the files and their checksums: a file
that is not in it, or was changed since, is never written over.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from evenhand.errors import BadData, EnvironmentProblem
from evenhand.files import disk_errors, parse_json, write_atomically
from evenhand.outputs import UNSEALED, check_output_folder, check_unchanged, sealed
from evenhand.reports import chromium, located, script_json, study_view, view
from evenhand.reports.figures import Figure
from evenhand.reports.packed import plotly
from evenhand.reports.plots import Panel, Plot

Format = Literal["svg", "png", "pdf"]
INDEX = "figures.json"
SIGN = b'"format": "evenhand/figures/1"'
WIDTH = 840  # px: a text width of 7 inches at 120 px an inch
MARGIN = {"l": 16, "r": 24, "t": 24, "b": 60}  # px
SCALE = 3  # of a PNG: 360 px an inch
_COLOUR = re.compile(r"(--[a-z0-9-]+): (#[0-9a-f]{6})")
_VARIABLE = re.compile(r"^var\((--[a-z0-9-]+)\)$")
_TITLE = re.compile(r"[^a-z0-9]+")


def export(run: Path, folder: Path, form: Format = "svg") -> list[Path]:
    """Write every plot of the run's report into `folder`; returns the files, in the report's order.

    Raises:
        EnvironmentProblem: there is no Chromium, or it failed.
        BadData: the run cannot be read or has no plot, or a file is there that evenhand did not write.
        NoSpace: the disk is full or not writable.
    """
    chromium.found()
    figures = {f"{name}.{form}": figure for name, figure in of_run(run)}
    if not figures:
        raise BadData(f"The run in {run} has no plot.", mend="Write its report: `evenhand report RUN`.")
    check_output_folder(folder)
    known = _known(folder)
    for name in figures:
        _check_free(folder / name, known)
    drawn = _drawn(figures, form)
    folder.mkdir(parents=True, exist_ok=True)
    # The index comes first and keeps the earlier checksums: an export that was killed can be repeated.
    sums = {name: [*known.get(name, [])[-1:], _sum(data)] for name, data in drawn.items()}
    body = {"format": "evenhand/figures/1", "files": known | sums, "seal": UNSEALED}
    write_atomically(folder / INDEX, sealed(f"{json.dumps(body, indent=1)}\n".encode()))
    for name, data in drawn.items():
        write_atomically(folder / name, data)
    return [folder / name for name in drawn]


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def of_run(run: Path) -> Iterator[tuple[str, Figure]]:
    """Name and figure of every plot in the report of a run: of a study, a verification, or anything stored.

    Raises:
        BadData: the folder holds none of these, or damaged ones.
    """
    from evenhand.studies import store
    from evenhand.studies.grid import result

    if os.path.lexists(run / result.INDEX):
        return _named(study_view.study(result.load(run)))
    if store.holds_verification(run):
        record = store.load_verification(run)
        return _named(view.verification(record, located.beside(run, record.location)))
    if located.holds_location(run) and not store.holds_measurements(run):
        return _named(view.located(located.load(run).uri, located.beside(run, None)))
    return _named(view.measurements(store.load_measurements(run)))


def _named(variables: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """The plots among a page's variables, wherever they stand."""
    for plot in _plots(list(variables.values())):
        yield _TITLE.sub("-", plot.id.lower()).strip("-"), plot.figure


def _plots(values: Sequence[Any]) -> Iterator[Plot | Panel]:
    for value in values:
        if isinstance(value, Plot | Panel):
            yield value
        elif isinstance(value, Mapping):
            yield from _plots(list(value.values()))
        elif isinstance(value, list | tuple):
            yield from _plots(value)
        elif type(value).__module__.startswith("evenhand.reports"):
            yield from _plots([getattr(value, name) for name in getattr(value, "__slots__", ())])


def _known(folder: Path) -> dict[str, list[str]]:
    """The files that an earlier export wrote there, with their checksums; empty for a new folder.

    Raises:
        BadData: the index was changed, or is not evenhand's.
    """
    check_unchanged(folder / INDEX, SIGN)
    if not os.path.lexists(folder / INDEX):
        return {}
    with disk_errors(folder / INDEX):
        found: dict[str, list[str]] = parse_json((folder / INDEX).read_bytes())["files"]
    return found


def _check_free(path: Path, known: Mapping[str, list[str]]) -> None:
    if not os.path.lexists(path):
        return
    with disk_errors(path):
        same = path.is_file() and _sum(path.read_bytes()) in known.get(path.name, [])
    if not same:
        raise BadData(
            f"{path} is not replaced: it was changed, or evenhand did not write it.",
            mend="Name another folder with --figures.",
        )


def _drawn(figures: Mapping[str, Figure], form: Format) -> dict[str, bytes]:
    """The files' contents, by name: one browser draws them all, and prints each of a PDF."""
    with tempfile.TemporaryDirectory(prefix="evenhand-figures-") as place:
        work = Path(place)
        page = work / "figures.html"
        kind = "png" if form == "png" else "svg"
        page.write_text(_page(list(figures.values()), kind), encoding="utf-8")
        shown = chromium.dom(page, work)
        pictures = [_picture(shown, place, kind) for place in range(len(figures))]
        if form == "pdf":
            pictures = [_pdf(svg, work) for svg in pictures]
    return dict(zip(figures, pictures, strict=True))


def _picture(shown: str, place: int, kind: str) -> bytes:
    found = re.search(rf'<pre id="picture-{place}">data:image/[a-z+]+(;base64)?,([^<]*)</pre>', shown)
    if found is None:
        raise EnvironmentProblem(
            "Chromium did not draw the plots.", mend="Open the report in a browser and print it."
        )
    return base64.b64decode(found[2]) if found[1] else unquote(found[2].replace("&amp;", "&")).encode()


def _pdf(svg: bytes, work: Path) -> bytes:
    """An SVG as a PDF of one page of its own size."""
    size = re.search(rb'width="([0-9.]+)" height="([0-9.]+)"', svg)
    width, height = (float(x) for x in size.groups()) if size else (WIDTH, WIDTH)
    page, pdf = work / "one.html", work / "one.pdf"
    style = f"@page {{ size: {width + 2:g}px {height + 2:g}px; margin: 0 }} body {{ margin: 0 }}"
    block = "svg { display: block }"
    text = f'<!doctype html><meta charset="utf-8"><style>{style} {block}</style>{svg.decode()}'
    page.write_text(text, encoding="utf-8")
    pdf.unlink(missing_ok=True)
    chromium.print_pdf(page, pdf, work)
    return pdf.read_bytes()


def _page(figures: Sequence[Figure], kind: str) -> str:
    """A page that draws each figure and leaves it as a data address in an element of its own."""
    drawn = [coloured(figure, light()) for figure in figures]
    options = {"format": kind, "width": WIDTH, "scale": SCALE if kind == "png" else 1}
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>figures</title></head><body>
<script type="application/gzip" id="plotly">{plotly()}</script>
<script>
{_template("unpack.js")}
(async () => {{
  const script = document.createElement("script");
  script.textContent = await unpacked("plotly");
  document.getElementById("plotly").remove();
  document.head.append(script);
  const figures = {script_json(drawn)};
  for (let i = 0; i < figures.length; i += 1) {{
    const place = document.createElement("div");
    document.body.append(place);
    await Plotly.newPlot(place, figures[i].data, {{...figures[i].layout, width: {WIDTH}, margin: {MARGIN}}});
    const made = document.createElement("pre");
    made.id = "picture-" + i;
    const options = {{...{json.dumps(options)}, height: figures[i].layout.height}};
    made.textContent = await Plotly.toImage(place, options);
    Plotly.purge(place);
    place.remove();
    document.body.append(made);
  }}
  script.remove();
}})();
</script></body></html>"""


def _template(name: str) -> str:
    from importlib.resources import files

    return files("evenhand").joinpath("reports/templates", name).read_text("utf-8")


def light() -> dict[str, str]:
    """The page's colours in light mode, by variable."""
    return dict(_COLOUR.findall(_template("style.css").split("@media", 1)[0]))


def coloured(value: Any, colours: Mapping[str, str]) -> Any:
    """A figure with every ``var(--name)`` replaced by its colour, on white."""
    if isinstance(value, str):
        found = _VARIABLE.match(value)
        return colours[found[1]] if found else "#ffffff" if value == "rgba(0,0,0,0)" else value
    if isinstance(value, Mapping):
        return {key: coloured(item, colours) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [coloured(item, colours) for item in value]
    return value
