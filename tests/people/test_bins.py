"""Groups of numbers have names of their own, in all digits that tell their borders apart."""

from __future__ import annotations

import pytest

from evenhand.people import bins


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ([25, 40, 41], ("<25", "25-39", "40", "41+")),
        ([1000001, 1000002], ("<1000001", "1000001", "1000002+")),
        ([1234567.5, 1234568.5], ("<1234567.5", "1234567.5 to <1234568.5", "1234568.5+")),
        ([30.000000001, 30.000000002], ("<30.000000001", "30.000000001 to <30.000000002", "30.000000002+")),
        ([0.1 + 0.2], ("<0.3", "0.3+")),
    ],
)
def test_names_tell_the_borders_apart(edges: list[float], names: tuple[str, ...]) -> None:
    assert bins.problems("age", edges) == []
    assert bins.names(edges) == names
    assert bins.place(str(edges[0]), edges) == names[1]


@pytest.mark.parametrize("edges", [[], [2, 1], [1, 1], [float("nan")], [30, 30 + 1e-14]])
def test_borders_of_one_name_or_out_of_order_are_refused(edges: list[float]) -> None:
    assert "each above the last" in bins.problems("age", edges)[0]
