"""Reports: one self-contained HTML file that needs no network, from the stored records alone.

The same record always gives the same bytes: there is no time stamp inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadData
from evenhand.files import write_atomically
from evenhand.outputs import UNSEALED, check_output_file, check_unchanged, sealed
from evenhand.records import Attribution, Measurement, Verification

if TYPE_CHECKING:
    from evenhand.reproductions.result import Reproduction
    from evenhand.studies.grid.result import StudyResult

PACKAGE = "reports/templates"
SIGN = b'<meta name="generator" content="evenhand '  # in every report


def report(
    run: Path | str,
    html: Path | str = "report.html",
    *,
    texts: bool = False,
    locations: Sequence[Path | str] = (),
) -> Path:
    """Write a report of the stored run in the folder `run` as one HTML file; returns its path.

    With `texts` the items that changed sides are shown with their texts, which are redacted otherwise.
    `locations` are further folders of `locate`, whose block maps are shown beside the run's own.

    Raises:
        BadData: the folder holds neither a verification nor measurements nor a location, or damaged ones; or
            `html` cannot be a file, or is a file that is not such a report.
        NoSpace: the disk is full or not writable.
    """
    from evenhand.reports import located
    from evenhand.studies import store

    check_output_file(Path(html), SIGN)
    folder, named = Path(run), tuple(map(Path, locations))
    if store.holds_verification(folder):
        record = store.load_verification(folder)
        found = located.beside(folder, record.location, named)
        text = verification_html(record, locations=found, texts=texts)
    elif located.holds_location(folder) and not store.holds_measurements(folder):
        text = location_html(located.load(folder).uri, located.beside(folder, None, named))
    else:
        text = measurements_html(store.load_measurements(folder))
    write_report(Path(html), text)
    return Path(html)


def location_html(uri: str, locations: Sequence[Attribution]) -> str:
    """The report of locators on the model `uri`: their block maps."""
    from evenhand.reports import view

    return _render("location.html.j2", view.located(uri, locations))


def verification_html(
    record: Verification, *, locations: Sequence[Attribution] = (), texts: bool = False
) -> str:
    """The report of a verification; `locations` are results of further locators to show with its own.

    `texts` says whether items are shown with their texts, where the benchmark's data are on this machine.
    """
    from evenhand.reports import view

    return _render("verification.html.j2", view.verification(record, locations, texts=texts))


def measurements_html(records: Sequence[Measurement]) -> str:
    """The report of plain measurements of one model.

    Raises:
        BadData: there are no measurements.
    """
    from evenhand.reports import view

    if not records:
        raise BadData("There are no measurements to report.", mend="Run `evenhand measure` with --out first.")
    return _render("measurements.html.j2", view.measurements(records))


def study_html(result: StudyResult) -> str:
    """The report of a study as it stands: table, Pareto plots, transfer, and each mitigation's flips."""
    from evenhand.reports import study_view

    return _render("study.html.j2", study_view.study(result))


def reproduction_html(found: Reproduction) -> str:
    """The report of a reproduction: its claims, published beside measured figures, what differs."""
    from evenhand.reports import reproduced

    return _render("reproduction.html.j2", reproduced.view(found))


def write_report(path: Path, text: str) -> None:
    """Write a report, whole or not at all, with a checksum of itself in a comment at its end.

    Raises:
        NoSpace: the disk is full or not writable.
        BadData: the file cannot be written, or exists and is not such a report or was changed.
    """
    check_unchanged(path, SIGN)
    text += f"<!-- {UNSEALED} -->\n"
    write_atomically(path, sealed(text.encode("utf-8", "backslashreplace")))


def _render(template: str, variables: Mapping[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from evenhand.reports.packed import plotly

    environment = Environment(
        loader=PackageLoader("evenhand", PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["script_json"] = script_json
    return environment.get_template(template).render(**variables, plotly=plotly)


def script_json(value: Any) -> Any:
    """JSON that is safe inside a script element: no character of it can end the element or start another."""
    import json

    from markupsafe import Markup

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
