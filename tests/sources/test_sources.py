"""The table of files, where they are looked for, and what happens to a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evenhand import sources
from evenhand.errors import BadData, UnknownName
from tests.support.data import data_file

NAME = "crows_pairs/crows_pairs_anonymized.csv"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """The three folders in the order in which they are searched: chosen, named by the variable, cache."""
    chosen, named, cached = (tmp_path / part for part in ("chosen", "named", "cache"))
    for folder in (chosen, named):
        folder.mkdir()
    monkeypatch.setenv("EVENHAND_CACHE", str(cached))
    monkeypatch.setenv(sources.VARIABLE, str(named))
    return chosen, named, cached / "data"


def put(folder: Path, data: bytes = b"wrong") -> Path:
    place = folder / NAME
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def test_the_table_is_complete() -> None:
    table = sources.entries()
    assert len(table) == len({e.name for e in table}) > 150
    for e in table:
        assert re.fullmatch(r"[0-9a-f]{64}", e.sha256), e.name
        assert e.url.startswith("https://")
        assert " " not in e.url
        assert e.size > 0
        assert e.rows > 0
        assert e.title
        assert e.licence
        assert not Path(e.name).is_absolute()
        assert ".." not in e.name


def test_an_address_is_a_fixed_commit_or_the_publisher() -> None:
    assert sources.entry(NAME).url == (
        "https://raw.githubusercontent.com/nyu-mll/crows-pairs/8aaac11c485473159ec9328a65253a5be9a479dc/"
        "data/crows_pairs_anonymized.csv"
    )
    assert sources.entry("adult/adult.data").url.startswith("https://archive.ics.uci.edu/")
    assert [sources.entry(n).copied for n in ("adult/adult.data", "adult/adult.names")] == [False, True]
    fixed = re.compile(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/")
    assert all(fixed.match(e.url) or "uci.edu" in e.url for e in sources.entries())


def test_every_file_that_is_here_is_the_one_of_the_table() -> None:
    data_file(NAME)
    here = [e for e in sources.entries() if sources.find(e) is not None]
    for e in here:
        assert sources.path(e.name).stat().st_size == e.size


def test_names_stand_for_files_and_folders() -> None:
    assert [e.name for e in sources.matching(NAME)] == [NAME]
    assert [e.name for e in sources.matching("crows_pairs/")] == [NAME]
    assert len(sources.matching("bbq/templates")) == 14
    assert {e.dataset for e in sources.matching("bbq")} == {"bbq"}  # and not bbq_answers
    with pytest.raises(UnknownName, match="crows_pairs"):
        sources.matching("crows")
    with pytest.raises(UnknownName, match="bbq/Age"):
        sources.entry("bbq/age.jsonl")


def test_folders_are_searched_in_order(places) -> None:
    chosen, named, cached = places
    e = sources.entry(NAME)
    assert sources.find(e) is None
    for folder in (cached, named):
        place = put(folder)
        assert sources.find(e) == place
    put(chosen)
    assert sources.find(e) == named / NAME
    with sources.folder_in_use(chosen):
        assert sources.folders() == (chosen, named, cached)
        assert sources.find(e) == chosen / NAME
    assert sources.folders() == (named, cached)


def test_a_chosen_folder_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="does not exist"), sources.folder_in_use(tmp_path / "nowhere"):
        pass


def test_no_choice_changes_nothing(places) -> None:
    with sources.folder_in_use(places[0]), sources.folder_in_use(None):
        assert sources.folders()[0] == places[0]


def test_an_absent_file_says_what_to_type(places) -> None:
    with pytest.raises(BadData) as caught:
        sources.path(NAME)
    assert str(places[1]) in caught.value.what
    assert f"evenhand data pull {NAME}" in caught.value.mend
    assert "EVENHAND_DATA" in caught.value.mend
    assert "0.4 MB, CC BY-SA 4.0" in caught.value.mend
    several = sources.absent(sources.matching("bbq/templates"))
    assert "evenhand data pull bbq." in several.mend
    assert "and more" in several.what


def test_all_absent_files_are_named_at_once(places) -> None:
    put(places[1])
    templates = "honest/binary/en_template.tsv"
    with pytest.raises(BadData) as caught:
        sources.paths([NAME, templates, "winobias/male_occupations.txt", "winobias/female_occupations.txt"])
    for name in (templates, "winobias/male_occupations.txt", "winobias/female_occupations.txt"):
        assert name in caught.value.what
    assert NAME not in caught.value.what
    # One file of one set, and more than one of the other.
    assert f"evenhand data pull {templates} winobias." in caught.value.mend
    size = sum(e.size for e in (sources.entry(templates), *sources.matching("winobias")))
    assert f"({size / 1e6:.1f} MB, MIT" in caught.value.mend


def test_a_wrong_file_is_quarantined_and_named(places) -> None:
    place = put(places[1], b"sent_more,sent_less\n")
    with pytest.raises(BadData) as caught:
        sources.path(NAME)
    assert str(place) in caught.value.what
    assert "20 bytes" in caught.value.what
    assert "437764 bytes and dfb36986ce05..." in caught.value.what
    assert not place.exists()
    assert place.with_name(place.name + sources.ASIDE).read_bytes() == b"sent_more,sent_less\n"
    with pytest.raises(BadData, match="not on this machine"):
        sources.path(NAME)
    put(places[1], b"another\n")
    with pytest.raises(BadData, match=r"is now .*\.quarantined-2\."):
        sources.path(NAME)
    assert place.with_name(place.name + sources.ASIDE).read_bytes() == b"sent_more,sent_less\n"


def test_a_wrong_file_that_cannot_be_moved_is_still_refused(places, monkeypatch) -> None:
    place = put(places[1])

    def refused(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(BadData, match="still there"):
        sources.path(NAME)
    assert place.exists()


def test_a_changed_file_is_checked_again(places) -> None:
    original = data_file_bytes()
    place = put(places[1], original)
    assert sources.path(NAME) == place
    place.write_bytes(original.replace(b"black kids", b"blank kids", 1))  # the same length
    with pytest.raises(BadData, match="not the file"):
        sources.path(NAME)


def data_file_bytes() -> bytes:
    here = Path(__file__).parents[3] / "shared" / "data" / NAME
    if not here.is_file():
        pytest.skip(f"the data file {NAME} is not on this machine")
    return here.read_bytes()
