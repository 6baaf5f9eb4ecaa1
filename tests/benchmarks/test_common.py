"""What benchmarks share: the digest of everything that is asked."""

from __future__ import annotations

import json
from dataclasses import astuple

from evenhand.benchmarks._common import data_digest
from evenhand.records import Continuation, Generation, Sample, Sampling, digest

SAMPLES = (
    Sample("a/1", "c", {"more": 'a "quoted" word\\', "n": 1.5, "roles": ("x", "y")}, {"k": "v"}),
    Sample("a/2", "c", {"more": "é ü \n\t\x7f 漢", "none": None}, {}),
)


def asked(sample: Sample) -> list[Continuation | Generation]:
    return [Continuation("", sample.fields["more"]), Generation(sample.id, Sampling(top_p=0.5))]


def content(request: Continuation | Generation) -> tuple[object, ...]:
    """What is asked; whether a prompt goes into a chat template is a part of the protocol."""
    values = astuple(request)
    return values[:-1] if isinstance(request, Generation) else values


def test_the_digest_is_that_of_all_rows_as_one_text() -> None:
    for some in (SAMPLES, SAMPLES[:1], ()):
        rows = [
            [s.id, s.cluster, dict(s.fields), dict(s.slices), [content(request) for request in asked(s)]]
            for s in some
        ]
        assert data_digest(some, asked) == digest(json.dumps(rows, sort_keys=True))
