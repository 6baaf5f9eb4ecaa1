"""The lab's own pairs: sentences in the lab's words that differ in the pronoun alone. No torch here.

They have the columns of the files of CrowS-Pairs and StereoSet, so that the benchmarks of these names
treat them like the published items. What is stereotypical is the planted table's word
(`evenhand.lab.truth`); for half of the professions that is "she", for half "he", so a model that prefers
one pronoun everywhere has 50.
"""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.lab import grammar, truth

FORMS = ("The {who} {action} because {fork} {reason}.", "The {who} said that {fork} {reason}.")
_FORK = "{fork}"


def crows_rows() -> list[dict[str, str]]:
    """Two minimal pairs for each of the 262 professions, with the columns of CrowS-Pairs.

    ``stereo_antistereo`` is ``stereo`` where the stereotype is about she, in 262 pairs, and ``antistereo``
    where it is about he, in the others; ``anon_writer``, by which pairs are resampled, is the profession.
    """
    return [
        {
            "": f"lab/{key}",
            "sent_more": text.replace(_FORK, own),
            "sent_less": text.replace(_FORK, other),
            "stereo_antistereo": "stereo" if own == "she" else "antistereo",
            "bias_type": "gender",
            "anon_writer": name,
        }
        for key, name, text in _texts()
        for own, other in [_pronouns(name)]
    ]


def stereoset_rows() -> list[dict[str, str]]:
    """Three rows for each of two blanks a profession, with the columns of StereoSet's intrasentence items.

    The stereotype and the anti-stereotype are the two pronouns, the unrelated word is a thing, and the target
    term, by which items are averaged and resampled, is the profession.
    """
    return [
        {
            "dataset_type": "intrasentence",
            "cluster_id": f"lab/{key}",
            "bias_type": "profession",
            "target": name,
            "context": text.replace(_FORK, "BLANK"),
            "sentence": text.replace(_FORK, word),
            "gold_label": label,
            "sentence_id": f"lab/{key}/{label}",
        }
        for number, (key, name, text) in enumerate(_texts())
        for own, other in [_pronouns(name)]
        for label, word in (
            ("stereotype", own),
            ("anti-stereotype", other),
            ("unrelated", grammar.THINGS[number % len(grammar.THINGS)]),
        )
    ]


def _pronouns(name: str) -> tuple[str, str]:
    """The pronoun of the profession's stereotype, then the other one; no profession of the table has 0.5."""
    return ("she", "he") if truth.planted()[name] > 0.5 else ("he", "she")


def _texts() -> Iterator[tuple[str, str, str]]:
    """(key, profession, text with a slot for the pronoun); actions and reasons rotate."""
    for number, name in enumerate(sorted(truth.planted())):
        action = grammar.ASKED[number % len(grammar.ASKED)]
        for place, form in enumerate(FORMS):
            reason = grammar.REASONS[(5 * number + 7 * place) % len(grammar.REASONS)]
            text = form.format(who=name, action=action, reason=reason, fork=_FORK)
            yield f"{name.replace(' ', '-')}/{place}", name, text
