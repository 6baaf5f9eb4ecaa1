"""The API of figures."""

from __future__ import annotations

from evenhand.monitor import keys
from tests.monitor.made import raw


def test_figures_by_group(client, bearer, store) -> None:
    batch = [raw("a"), raw("b", decision=0), raw("c", attributes={"sex": "m"})]
    client.post("/v1/events", json=batch, headers=bearer)
    asked = {"use_case": "loans", "attribute": "sex", "indicator": ["selection_rate", "impact_ratio"]}
    rows = client.get("/v1/indicators", params=asked, headers=bearer).json()
    assert [(one["indicator"], one["group"], one["value"], one["n"]) for one in rows] == [
        ("selection_rate", "", 2 / 3, 3),
        ("selection_rate", "f", 0.5, 2),
        ("selection_rate", "m", 1.0, 1),
        ("impact_ratio", "", 0.5, 3),
    ]
    wrong = client.get("/v1/indicators", params={**asked, "indicator": "selectionrate"}, headers=bearer)
    assert (wrong.status_code, "Did you mean 'selection_rate'" in wrong.text) == (404, True)
    assert client.get("/v1/indicators", params={"use_case": "x\0"}, headers=bearer).status_code == 422
    assert client.get("/v1/indicators", params={"use_case": "x"}, headers=bearer).status_code == 404
    other = keys.create(store, "k", ["read"], use_cases=["jobs"])
    code = client.get("/v1/indicators", params=asked, headers={"Authorization": f"Bearer {other.text}"})
    assert code.status_code == 403
