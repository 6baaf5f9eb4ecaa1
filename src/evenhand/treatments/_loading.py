"""Loading a treatment from its folder: its card states the kind, and each kind is a module of this folder.

Another package adds a kind through an entry point of the group ``evenhand.treatments``: a `Kind`.
"""

from __future__ import annotations

from pathlib import Path

from evenhand import registry
from evenhand.errors import BadData, UnknownName
from evenhand.files import parse_json
from evenhand.folders import settle
from evenhand.records import from_json
from evenhand.schema import Steps, migrated
from evenhand.treatments._base import CARD, About, Kind, Treatment, damaged

#: Schema 1 had no `schema` and no `made_by`, both of which may lack; nothing else changed since.
_STEPS: Steps = {}


def load(folder: Path | str) -> Treatment:
    """The treatment that `save` wrote into `folder`, or another program in a form that a kind knows.

    Raises:
        BadData: the folder holds no treatment, a damaged one, or one that a newer evenhand wrote.
    """
    folder = Path(folder)
    settle(folder)
    try:
        card = parse_json((folder / CARD).read_bytes())
        card = migrated(card, card.get("schema", 1), _STEPS, where=folder / CARD)
        about = from_json(About, {**card["about"], "made_by": card.get("made_by")})
        kind = card["kind"]
    except FileNotFoundError:
        foreign = _foreign(folder)
        if foreign is not None:
            return _kind(foreign).load(folder, About(foreign, "", 0), {})
        raise BadData(
            f"{folder} holds no {CARD}.", mend="Name a folder that `evenhand mitigate` wrote."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(folder, str(error).splitlines()[0]) from None
    except OSError as error:
        raise damaged(folder, f"{CARD} cannot be read: {error.strerror}") from None
    if not isinstance(kind, str) or kind not in kinds():
        raise UnknownName("kind of treatment", str(kind), kinds())
    return _kind(kind).load(folder, about, card)


def holds_treatment(folder: Path) -> bool:
    """Whether `folder` has a treatment's card, or is of a form that a kind knows, such as a PEFT adapter."""
    return (folder / CARD).is_file() or _foreign(folder) is not None


def kinds() -> tuple[str, ...]:
    """The names of all kinds of treatment, sorted."""
    return registry.names("treatment")


def _kind(name: str) -> Kind:
    kind: Kind = registry.get("treatment", name)
    return kind


def _foreign(folder: Path) -> str | None:
    """The kind of a folder that another program wrote; None where no kind knows it."""
    for name in kinds():
        file = _kind(name).foreign
        if file is not None and (folder / file).is_file():
            return name
    return None
