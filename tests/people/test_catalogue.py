"""Tasks by name, and the options that change one."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadOption, UnknownName
from evenhand.lab import people
from evenhand.people.catalogue import population


def test_the_lab_has_its_own_template_labels_and_groups() -> None:
    found = population("lab", seed=0)
    assert (found.task.template, found.task.labels) == (people.TEMPLATE, people.LABELS)
    assert found.task.group_names == people.GROUPS
    first = people.people(1, 0)[0]
    someone = found.people[0]
    group = people.GROUPS.index(str(first["sex"]))
    assert found.task.render(someone.shown, group) == people.TEMPLATE.format(**first)
    assert (someone.group, someone.label) == (group, first[people.TARGET])
    assert population("lab", seed=1).people != found.people


def test_another_attribute_and_other_label_words() -> None:
    found = population("lab", attribute="sex * schooling", labels="deny|grant")
    assert found.task.attribute == ("sex", "schooling")
    assert len(found.task.groups) == 8
    assert found.task.labels == (" deny", " grant")


@pytest.mark.parametrize("labels", ["no", "no|no", "no|yes|may", "|yes"])
def test_label_words_come_in_two(labels: str) -> None:
    with pytest.raises(BadOption, match="not two different words"):
        population("lab", labels=labels)


def test_unknown_tasks_and_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"adult, lab.*task=FILE.toml"):
        population("adlt")
    with pytest.raises(BadOption, match="did you mean 'savings'"):
        population("lab", attribute="saving")
    with pytest.raises(BadOption, match="leaky=true is for task=adult"):
        population("lab", leaky=True)
