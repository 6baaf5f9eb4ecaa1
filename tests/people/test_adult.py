"""UCI Adult read from files of the official form; the counts of the real ones stand in tests/golden."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand import sources
from evenhand.errors import BadData
from evenhand.people import adult, catalogue

LINE = (
    "39, {work}, 77516, Bachelors, 13, Never-married, Adm-clerical, Husband, White, {sex}, 2174, 0, 40, ?, "
    "{pay}\n"
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = [LINE.format(work="Private", sex=s, pay=p) for s in ("Male", "Female") for p in ("<=50K", ">50K")]
    test = [LINE.format(work="?", sex=s, pay=p) for s in ("Male", "Female") for p in ("<=50K.", ">50K.")]
    (tmp_path / "adult.data").write_text("".join([*data, "\n"]), encoding="utf-8")
    (tmp_path / "adult.test").write_text("".join(["|1x3 Cross validator\n", *test, "\n"]), encoding="utf-8")
    monkeypatch.setattr(sources, "path", lambda name: tmp_path / Path(name).name)
    catalogue._built_in.cache_clear()
    yield tmp_path
    catalogue._built_in.cache_clear()


def test_both_files_are_read_and_the_full_stop_is_no_other_label(files: Path) -> None:
    rows, ids = adult.rows()
    assert ids == [f"data/{i}" for i in range(1, 5)] + [f"test/{i}" for i in range(1, 5)]
    assert {row["income"] for row in rows} == {"<=50K", ">50K"}
    assert [p.label for p in catalogue.population("adult").people] == [0, 1] * 4


def test_the_prompt_says_what_is_missing_and_not_what_tells_the_sex(files: Path) -> None:
    found = catalogue.population("adult")
    person = found.people[5]
    text = found.task.render(person.shown, 1)
    assert "Work: not stated\n" in text
    assert "Country: not stated\n" in text
    assert "Sex: Female\n" in text
    assert text.endswith("More than $50,000 a year:")
    assert "Husband" not in text
    assert "Never-married" not in text
    assert "77516" not in text  # fnlwgt is a survey weight, nothing about the person
    leaky = catalogue.population("adult", leaky=True)
    assert "Relationship: Husband" in leaky.task.render(leaky.people[5].shown, 1)
    assert "Marital status: Never-married" in leaky.task.render(leaky.people[5].shown, 1)


def test_without_the_files_the_message_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVENHAND_DATA", str(tmp_path))
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path))
    catalogue._built_in.cache_clear()
    with pytest.raises(BadData, match=r"evenhand data pull adult/adult\.data"):
        catalogue.population("adult")
