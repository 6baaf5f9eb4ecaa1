"""What a page shows and a command no longer prints is found."""

from __future__ import annotations

import pytest

from tests.real import shown

pytestmark = pytest.mark.real
CONSOLE = "```console\n$ evenhand one\nNote: 5 of 60 have\nno answer.\n...\nend\n$ evenhand two\n```\n"
TABLE = "Text.\n\n| what | value, seed 3 |\n|---|---|\n| a 1 | 0.5 |\n| b | 2 |\n\nMore.\n"


def test_the_lines_after_a_command_are_its_output() -> None:
    assert shown.outputs(CONSOLE) == {"evenhand one": "Note: 5 of 60 have\nno answer.\n...\nend\n"}


@pytest.mark.parametrize(
    ("printed", "whole", "shape"),
    [
        ("first\nNote: 5 of 60 have no\nanswer.\nmore\nend\n", True, True),
        ("Note: 1 of 8 have no answer. end", False, True),
        ("Note: 5 of 60 had no answer. end", False, False),
        ("Note: 5 of 60 have no answer.", False, False),
    ],
)
def test_an_output_is_compared_with_its_figures_or_without(printed: str, whole: bool, shape: bool) -> None:
    said = shown.outputs(CONSOLE)["evenhand one"]
    assert shown.says(printed, said, figures=True) is whole
    assert shown.says(printed, said, figures=False) is shape


def test_a_command_is_of_the_same_size_whatever_address_it_asks() -> None:
    line = "evenhand measure openai:http://host/v1#m --limit 60"
    assert shown.same_size(line, "evenhand measure  openai:http://127.0.0.1:9/v1#tiny --limit 60")
    assert not shown.same_size("evenhand measure lab:causal", "evenhand measure lab:causal --limit 8")


def test_a_printed_table_has_to_be_on_the_page() -> None:
    page = shown.tables(TABLE)
    assert shown.missing(shown.tables(TABLE.replace("3", "4").replace("a 1", "a 27")), page) == []
    assert shown.missing(shown.tables("| what | other |\n|---|---|\n| a 1 | 2 |\n"), page) != []
    assert shown.missing(shown.tables(TABLE.replace("| b |", "| c |")), page) == [
        ("what | value, seed #", frozenset({"c"}))
    ]


def test_a_promised_figure_is_rounded_as_the_page_does() -> None:
    code = "print(one)  # 0.27: a gap\nprint(two)  # with its interval\nprint(three)  # 100\n"
    assert shown.promised(code) == ["0.27", "100"]
    assert shown.printed_otherwise(code, "0.26667\nx\nEstimate(value=100.0)\n") == []
    assert shown.printed_otherwise(code, "0.2867\nx\nEstimate(value=100.0)\n") == ["0.27", "100"]
