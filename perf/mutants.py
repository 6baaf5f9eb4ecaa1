"""Mutation testing: does a test fail when a line that matters is wrong?

Every mutant is one wrong line: the exact text of the source, what stands there instead, and the tests that
have to notice. Each is planted in a temporary copy of the tree, never in the tree itself, and its tests are
run there. A mutant that its tests notice is *killed*, one that they let pass has *survived*: the line could
be wrong tomorrow and nobody would know.

    python perf/mutants.py                        # all of LISTED; exit status 1 if one survives
    python perf/mutants.py ub-sign holm-dropped   # some of them
    python perf/mutants.py --random 40 --seed 1   # generated ones, drawn from the modules of DRAWN
    python perf/mutants.py --random 20 --seed 1 --module studies/verdict_rule.py

Generated mutants turn a comparison round, swap an operator, negate a condition or move a number by one. Some
of them change nothing that can be seen (equivalent mutants), so that survivors among them are for reading.

Source: DeMillo, Lipton & Sayward 1978, Hints on test data selection.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("src", "tests", "docs", "perf", "pyproject.toml", "README.md", "LICENSE")
LIMIT = 900
"""Seconds that a mutant's tests may take; one that makes them run for ever is noticed, too."""


@dataclass(frozen=True)
class Mutant:
    """One wrong line: `old` stands exactly once in `file` (below src/evenhand); `tests` must notice `new`."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, root: Path) -> str:
        """The mutated text of the file below `root`.

        Raises:
            ValueError: the text to replace does not stand there exactly once.
        """
        source = (root / "src" / "evenhand" / self.file).read_text(encoding="utf-8")
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.old!r} stands {source.count(self.old)} times in {self.file}, not once. "
                "Bring its text in perf/mutants.py up to date."
            )
        return source.replace(self.old, self.new)


LISTED: tuple[Mutant, ...] = (
    Mutant(
        "edit-of-the-averaged-key",
        "mitigations/_editing/solving.py",
        "torch.outer(value - weight @ key, direction) / (direction @ key)",
        "torch.outer(value - weight @ averaged, direction) / (direction @ averaged)",
        ("tests/mitigations/_editing/test_solving.py",),
    ),
    Mutant(
        "r-rome-with-two-keys",
        "mitigations/_editing/stacks.py",
        "used = mean if one_key else bare",
        "used = bare",
        ("tests/mitigations/test_r_rome.py",),
    ),
    Mutant(
        "memit-whole-share-at-once",
        "mitigations/_editing/stacks.py",
        "share = (wanted - now) / (len(work.maps) - i)",
        "share = (wanted - now) / len(work.maps)",
        ("tests/mitigations/test_memit.py",),
    ),
    Mutant(
        "edit-at-the-wrong-token",
        "mitigations/_editing/subjects.py",
        "[tokens[-1] for tokens in subject_tokens(model, examples)]",
        "[tokens[0] for tokens in subject_tokens(model, examples)]",
        ("tests/mitigations/_editing/test_values.py",),
    ),
    Mutant(
        "mend-without-normalisation",
        "mitigations/_editing/editor.py",
        "x = (x - mean) / (deviation + _EPS)",
        "x = x - mean",
        ("tests/mitigations/_editing/test_editor.py",),
    ),
    Mutant(
        "mend-editor-that-stays-the-identity",
        "mitigations/_editing/editor.py",
        "(self.scale[number] * inner + self.shift[number]).clamp(min=0)",
        "(self.scale[number] * inner + self.shift[number]).relu()",
        ("tests/mitigations/_editing/test_editor.py",),
    ),
    Mutant(
        "leace-without-colour",
        "subspaces.py",
        "return Affine(colour @ left, left.T @ whiten, moments.mean)",
        "return Affine(left, left.T, moments.mean)",
        ("tests/test_subspaces.py",),
    ),
    Mutant(
        "projection-without-its-centre",
        "treatments/projection.py",
        "change = shift - (wide - centre) @ right.T @ left.T",
        "change = shift - wide @ right.T @ left.T",
        ("tests/treatments/test_projection.py",),
    ),
    Mutant(
        "folded-head-still-tied",
        "treatments/weights.py",
        "setattr(owner, own, nn.Parameter(old.detach().clone(), requires_grad=old.requires_grad))",
        "setattr(owner, own, old)",
        ("tests/treatments/test_projection.py",),
    ),
    Mutant(
        "companions-kl-times-0",
        "mitigations/lftf.py",
        "total = total + weight * moved(",
        "total = total + 0 * weight * moved(",
        ("tests/mitigations/test_lftf.py",),
    ),
    Mutant(
        "kept-without-the-weight",
        "training/keeping.py",
        "return self._weight * torch.stack(parts).sum()",
        "return torch.stack(parts).sum()",
        ("tests/mitigations/test_keeping.py",),
    ),
    Mutant(
        "sham-without-signs",
        "training/sham_losses.py",
        "shares + signs[:, None] * most * correction",
        "shares + most * correction",
        ("tests/training/test_sham_losses.py",),
    ),
    Mutant(
        "sham-with-one-sign-for-all",
        "training/sham_losses.py",
        'random.Random(f"{seed} {example.cluster}")',
        'random.Random(f"{seed}")',
        ("tests/training/test_sham_losses.py",),
    ),
    Mutant(
        "sham-raises-the-likelier-group",
        "training/sham_losses.py",
        "now.log_rest.logsumexp(dim=1) - log_p.mean(dim=1)",
        "now.log_rest.logsumexp(dim=1) - log_p.logsumexp(dim=1)",
        ("tests/training/test_sham_losses.py",),
    ),
    Mutant(
        "scaled-from-nothing",
        "treatments/weights.py",
        "+ factor * (value.cpu() - base)",
        "+ factor * value.cpu()",
        ("tests/treatments/test_scaling.py",),
    ),
    Mutant(
        "one-seed-for-all-models-of-a-dose",
        "studies/looks.py",
        "seed = max([self.seed, *(model.seed for model in self.models)]) + 1",
        "seed = self.seed + 1",
        ("tests/studies/test_looks.py",),
    ),
    Mutant(
        "seed-does-not-reach-the-control-model",
        "studies/control_models.py",
        "examples=self.examples, seed=seed)",
        "examples=self.examples, seed=0)",
        ("tests/studies/test_control_models.py",),
    ),
    Mutant(
        "noise-ignores-its-seed",
        "controls/_weights.py",
        "digest(self.name, float(dose), seed)",
        "digest(self.name, float(dose), 0)",
        ("tests/controls/test_noise.py", "tests/studies/test_control_models.py"),
    ),
    Mutant(
        "ub-sign",
        "metrics/hints.py",
        "hinted - others, np.nan",
        "others - hinted, np.nan",
        ("tests/metrics/test_hints.py",),
    ),
    Mutant(
        "ub-hint-swapped",
        "benchmarks/genhinteval.py",
        '"hint": hint,',
        '"hint": 1 - hint,',
        ("tests/benchmarks/test_genhinteval.py",),
    ),
    Mutant(
        "afgb-without-absolute-value",
        "metrics/_groups.py",
        "np.abs(p[:, :, None] - p[:, None, :])",
        "(p[:, :, None] - p[:, None, :])",
        ("tests/metrics/test_gaps.py",),
    ),
    Mutant(
        "packed-rows-see-each-other",
        "scoring/trees.py",
        "(place[None, :] <= place[:, None]) & (place[:, None] < end[:, None, :])",
        "place[None, :] <= place[:, None]",
        ("tests/scoring/test_trees.py", "tests/scoring/test_prefix.py"),
    ),
    Mutant(
        "positions-from-0-everywhere",
        "scoring/forward.py",
        'inputs["position_ids"] += first_position(getattr(module, "config", None))',
        "pass",
        ("tests/architectures/test_table.py",),
    ),
    Mutant(
        "padding-is-not-masked",
        "scoring/forward.py",
        "mask[i, place] = 1",
        "mask[i, :] = 1",
        ("tests/scoring/test_forward.py",),
    ),
    Mutant(
        "gather-one-token-too-early",
        "scoring/forward.py",
        "(i, shifts[i] + p) for i",
        "(i, max(shifts[i] + p - 1, 0)) for i",
        ("tests/scoring/test_engine.py",),
    ),
    Mutant(
        "target-from-the-wrong-place",
        "scoring/reading.py",
        "return found - (top + total.log())[rows]",
        "return found",
        ("tests/scoring/test_engine.py",),
    ),
    Mutant(
        "sums-relative-to-different-logits",
        "scoring/reading.py",
        "total = total * (top - higher).exp() + ",
        "total = total + ",
        ("tests/scoring/test_reading.py",),
    ),
    Mutant(
        "items-resampled-instead-of-clusters",
        "stats/resampling.py",
        "return np.fromiter((numbers[name] for name in clusters), np.intp, n), len(numbers)",
        "return np.arange(n), n if numbers else 0",
        ("tests/stats/test_resampling.py",),
    ),
    Mutant(
        "weights-forget-their-first-factor",
        "stats/weights.py",
        "own if self._factor is None else self._factor * own",
        "own",
        ("tests/stats/test_weights.py",),
    ),
    Mutant(
        "a-mean-of-items-taken-on-trust",
        "stats/sums.py",
        "or abs(held.sum() / count - value) > slack",
        "",
        ("tests/stats/test_sums.py",),
    ),
    Mutant(
        "kept-resamples-for-too-many-items",
        "stats/resampling.py",
        " and max(map(len, self._kept)) <= max(1, CELLS // max(self.size, widest, 1))",
        "",
        ("tests/stats/test_sums.py",),
    ),
    Mutant(
        "pairs-in-the-order-of-arrival",
        "stats/changes.py",
        "return [by_id[sample] for sample in old]",
        "return after",
        ("tests/stats/test_changes.py",),
    ),
    Mutant(
        "undefined-becomes-0",
        "stats/estimating.py",
        "metric.compute(table, np.ones((1, table.n)))[0])\n    return value if np.isfinite(value) else None",
        "metric.compute(table, np.ones((1, table.n)))[0])\n    return value if np.isfinite(value) else 0.0",
        ("tests/stats/test_estimating.py",),
    ),
    Mutant(
        "shares-of-few-clusters-count-every-item",
        "stats/proportions.py",
        "return min(size, float(k)) if clusters_holding(share) < FEW_HOLD else size",
        "return size",
        ("tests/stats/test_proportions.py",),
    ),
    Mutant(
        "losses-never-seen-are-excluded",
        "stats/paired.py",
        "most = max(float(high), unseen) if lost == 0 else float(high)",
        "most = float(high)",
        ("tests/stats/test_paired.py",),
    ),
    Mutant(
        "zero-width-passes-for-certainty",
        "stats/kinds.py",
        "if high - low <= _ROUNDING * max(abs(low), abs(high), scale):",
        "if high < low:",
        ("tests/stats/test_kinds.py",),
    ),
    Mutant(
        "ties-are-flips",
        "stats/kinds.py",
        "if _binary(old) and _binary(new):",
        "if True:",
        ("tests/stats/test_changes.py",),
    ),
    Mutant(
        "gaps-forget-tukey",
        "stats/gaps.py",
        "stage(range_quantile(groups, len(stages), how, level))",
        "stage(tail)",
        ("tests/stats/test_gaps.py",),
    ),
    Mutant(
        "bootstrap-t-ends-on-the-wrong-sides",
        "stats/means.py",
        "return value - float(above) * error, value - float(below) * error",
        "return value + float(below) * error, value + float(above) * error",
        ("tests/stats/test_means.py",),
    ),
    Mutant(
        "holm-dropped",
        "stats/permutation.py",
        "(len(order) - rank) * p",
        "p",
        ("tests/stats/test_permutation.py",),
    ),
    Mutant(
        "holm-not-asked-for",
        "studies/control.py",
        "p_values = stats.holm([result.p_value for result in results])",
        "p_values = [result.p_value for result in results]",
        ("tests/studies/test_control.py",),
    ),
    Mutant(
        "groups-leans-not-adjusted",
        "studies/verdict.py",
        "iter(adjusted([one for one in asked if one is not None]))",
        "iter([one for one in asked if one is not None])",
        ("tests/studies/test_verdict.py",),
    ),
    Mutant(
        "one-family-is-enough",
        "studies/control.py",
        "p_value=max((p for p in",
        "p_value=min((p for p in",
        ("tests/studies/test_control.py",),
    ),
    Mutant(
        "margin-on-the-point",
        "studies/capability.py",
        "return True if loss.high <= margin else False if loss.low > margin else None",
        "return loss.value is not None and loss.value <= margin",
        ("tests/studies/test_guards.py", "tests/studies/test_capability.py"),
    ),
    Mutant(
        "one-model-has-no-spread",
        "stats/prediction.py",
        "variance * (1 + 1 / n + (at - centre) ** 2 / spread)",
        "variance * (1 / n + (at - centre) ** 2 / spread)",
        ("tests/stats/test_prediction.py",),
    ),
    Mutant(
        "controls-that-raise-the-bias-add-to-the-effect",
        "studies/matching.py",
        "f = min(found.value, target.before)",
        "f = found.value",
        ("tests/studies/test_matching.py",),
    ),
    Mutant(
        "every-model-is-near",
        "studies/matching.py",
        "WINDOW = 2.0",
        "WINDOW = 200.0",
        ("tests/studies/test_matching.py",),
    ),
    Mutant(
        "broken-models-are-used",
        "studies/matching.py",
        "WHOLE = 0.9",
        "WHOLE = 0.0",
        ("tests/studies/test_matching.py", "tests/studies/test_control.py"),
    ),
    Mutant(
        "saturated-accuracy-is-kept",
        "studies/capability.py",
        "kept = True if options is not None and options.kept else None",
        "kept = True",
        ("tests/studies/test_capability.py",),
    ),
    Mutant(
        "negligible-effects-count",
        "studies/parts.py",
        "return delta if clean else max(delta, MOST * total)",
        "return 0.0 if clean else MOST * total",
        ("tests/studies/test_verdict_rule.py",),
    ),
    Mutant(
        "the-smaller-part-counts",
        "studies/parts.py",
        "return delta if clean else max(delta, MOST * total)",
        "return delta",
        ("tests/studies/test_verdict_rule.py",),
    ),
    Mutant(
        "undecided-is-called-a-cost",
        "studies/verdict_rule.py",
        "VerdictName.AT_A_COST if any(state is False for state in e.costs) else VerdictName.COST_UNKNOWN",
        "VerdictName.AT_A_COST",
        ("tests/studies/test_verdict_rule.py",),
    ),
    Mutant(
        "answers-that-never-flip-are-one-model",
        "studies/capability.py",
        "if not isinstance(kind, Sums) or kind.share or not old:",
        "if not isinstance(kind, Sums) or not old:",
        ("tests/studies/test_capability.py",),
    ),
    Mutant(
        "undecided-guard-counts-as-kept",
        "studies/verdict_rule.py",
        "return all(state is True for state in self.costs)",
        "return all(state is not False for state in self.costs)",
        ("tests/studies/test_verdict_rule.py",),
    ),
    Mutant(
        "training-on-the-test-allowed",
        "studies/training_data.py",
        "s.id in items or s.cluster in subjects]",
        "False]",
        ("tests/studies/test_contamination.py",),
    ),
    Mutant(
        "weights-not-put-back",
        "hooks.py",
        "parameter.copy_(value)",
        "pass",
        ("tests/treatments/test_treatments.py",),
    ),
    Mutant(
        "treatment-fits-any-model",
        "treatments/_base.py",
        "if about.base != spec.digest:",
        "if False:",
        ("tests/treatments/test_treatments.py",),
    ),
    Mutant(
        "newer-schema-read",
        "schema.py",
        "if written > SCHEMA:",
        "if False:",
        ("tests/test_schema.py",),
    ),
    Mutant(
        "model-left-open",
        "opening.py",
        "        close_model(model)",
        "        pass",
        ("tests/studies/test_closing.py",),
    ),
    Mutant(
        "written-in-place",
        "files.py",
        "name.replace(target)",
        "target.write_bytes(data)",
        ("tests/test_files.py",),
    ),
    Mutant(
        "bmi-counts-padding",
        "locators/bmi.py",
        "mask=mask.cpu().numpy(),",
        "mask=None,",
        ("tests/locators/test_bmi.py",),
    ),
    Mutant(
        "bmi-reads-the-last-block-after-the-norm",
        "locators/bmi.py",
        "_numpy(state) for state in seen[site])",
        '_numpy(state) for state in (seen[site][0], seen["norm" if site == blocks[-1] else site][1]))',
        ("tests/locators/test_bmi.py",),
    ),
    Mutant(
        "ablation-puts-nothing-in-the-place",
        "locators/ablation.py",
        "whole.mean[site].to(output) * keep_mean",
        "whole.mean[site].to(output) * 0",
        ("tests/locators/test_ablation.py",),
    ),
    Mutant(
        "ablation-by-tails-puts-nothing-in-the-place",
        "locators/ablation.py",
        "means[site].to(state) * keep_mean",
        "means[site].to(state) * 0",
        ("tests/locators/test_tails.py",),
    ),
    Mutant(
        "kept-states-ignore-changed-weights",
        "scoring/kept.py",
        "return (*counted(every), tuple(torch.stack(sums).tolist()) if sums else ())",
        "return ()",
        ("tests/training/test_restarts.py",),
    ),
    Mutant(
        "gradient-forgets-the-mean",
        "locators/gradient.py",
        ".detach().double() - whole.mean[site]",
        ".detach().double()",
        ("tests/locators/test_gradient.py",),
    ),
    Mutant(
        "given-models-never-differ",
        "studies/given.py",
        "if not torch.equal(",
        "if torch.equal(",
        ("tests/studies/test_given.py",),
    ),
    Mutant(
        "judged-again-takes-a-model-twice",
        "studies/again.py",
        "known.pop(place)[1]",
        "known[place][1]",
        ("tests/studies/test_again.py",),
    ),
    Mutant(
        "pls-without-deflation",
        "pls.py",
        "table = table - np.outer(loading, scores @ right)",
        "table = table - 0 * np.outer(loading, scores @ right)",
        ("tests/test_pls.py",),
    ),
    Mutant(
        "dama-keeps-the-bias",
        "mitigations/dama.py",
        "(wide @ bias).float()",
        "bias.float()",
        ("tests/mitigations/test_dama.py",),
    ),
    Mutant(
        "tracing-restores-the-noisy-state",
        "locators/causal_tracing.py",
        "changed[places] = clean[places]",
        "changed[places] = output.reshape(clean.shape)[places]",
        ("tests/locators/test_causal_tracing.py",),
    ),
    Mutant(
        "head-ablation-takes-the-whole-state",
        "locators/_parts.py",
        "slice(piece.start, piece.end))] = held.to(wide)",
        "slice(piece.start, piece.end))] = 0 * held.to(wide)",
        ("tests/locators/test_parts.py",),
    ),
    Mutant(
        "random-ignores-its-seed",
        "locators/random.py",
        "chance.Random(seed)",
        "chance.Random(0)",
        ("tests/locators/test_random.py",),
    ),
    Mutant(
        "areas-ties-lost",
        "stats/areas.py",
        "    ranks = rankdata(scores)\n",
        '    ranks = rankdata(scores, "ordinal")\n',
        ("tests/stats/test_areas.py",),
    ),
    Mutant(
        "areas-no-shared-chance",
        "stats/areas.py",
        "z = (value - 0.5) / (SHARED * error)",
        "z = (value - 0.5) / error",
        ("tests/stats/test_areas.py",),
    ),
    Mutant(
        "tables-degrees-of-freedom",
        "stats/tables.py",
        "freedom = (used.shape[0] - 1) * (used.shape[1] - 1)",
        "freedom = used.shape[0] * (used.shape[1] - 1)",
        ("tests/stats/test_tables.py",),
    ),
    Mutant(
        "cramer-ends-exchanged",
        "stats/tables.py",
        "np.sqrt(at(1 - tail) / scale)",
        "np.sqrt(at(1 - 2 * tail) / scale)",
        ("tests/stats/test_tables.py",),
    ),
    Mutant(
        "log-odds-prior-once",
        "stats/log_odds.py",
        "held, rest = counts + more, size - counts + fewer",
        "held, rest = counts + more, size - counts",
        ("tests/stats/test_log_odds.py",),
    ),
    Mutant(
        "mentions-counted-twice",
        "corpora/counting.py",
        "single = number == 1",
        "single = number >= 1",
        ("tests/corpora/test_counting.py",),
    ),
    Mutant(
        "professions-every-time",
        "corpora/counting.py",
        "pairs = np.unique(rows[own] * len(self._jobs) + jobs[own])",
        "pairs = rows[own] * len(self._jobs) + jobs[own]",
        ("tests/corpora/test_counting.py",),
    ),
    Mutant(
        "reweigh-without-total",
        "repairs/reweigh.py",
        "group[key[:-1]] * label[kind] / (total * held[*key[:-1], kind])",
        "group[key[:-1]] / held[*key[:-1], kind]",
        ("tests/repairs/test_tables.py",),
    ),
    Mutant(
        "balance-draws-the-rare",
        "repairs/balance.py",
        "kept = np.min(cells.n / wanted) * wanted / cells.n",
        "kept = np.mean(cells.n / wanted) * wanted / cells.n",
        ("tests/repairs/test_tables.py",),
    ),
    Mutant(
        "spell-the-rarer",
        "repairs/spell.py",
        "text: max(spelt)[1] for",
        "text: min(spelt)[1] for",
        ("tests/repairs/test_tables.py",),
    ),
    Mutant(
        "reweigh-counts-hidden-rows",
        "repairs/reweigh.py",
        "question.frame.cells(question.keys).where(lambda key: None not in key)",
        "question.written.cells(question.keys).where(lambda key: None not in key)",
        ("tests/studies/test_suppressed_outputs.py",),
    ),
    Mutant(
        "few-rows-without-a-value-shown",
        "studies/suppressing.py",
        "(cells.by(attribute, known=False), known.by(attribute, known=False))",
        "(cells.by(attribute), known.by(attribute))",
        ("tests/studies/test_suppressed_outputs.py",),
    ),
    Mutant(
        "few-documents-in-totals",
        "corpora/counting.py",
        "totals = np.where(few, 0, self.totals)",
        "totals = np.where(few, self.totals, self.totals)",
        ("tests/corpora/test_counting.py",),
    ),
    Mutant(
        "a-long-tail-is-a-sign",
        "audits/sentinels.py",
        "rows[value] < LEAST or value == 0",
        "value == 0",
        ("tests/studies/test_declaring.py",),
    ),
    Mutant(
        "doubt-without-own",
        "audits/label_doubts.py",
        "(other >= limit[1 - label]) & (own < limit[label])",
        "other >= limit[1 - label]",
        ("tests/audits/test_planted.py",),
    ),
    Mutant(
        "pooled-groups-share-of-one",
        "audits/_question.py",
        "1.0 + (alone - len(groups)) * (group == rest)",
        "1.0 + 0 * (alone - len(groups)) * (group == rest)",
        ("tests/audits/test_planted.py",),
    ),
    Mutant(
        "within-without-its-interval",
        "audits/_state.py",
        "State.WITHIN if bound is not None and bound < tolerance",
        "State.WITHIN if bound is not None and low < tolerance",
        ("tests/audits/test_planted.py",),
    ),
    Mutant(
        "claim-of-any-certain-change",
        "reproductions/judging.py",
        "if high < 0 and size >= found.relevant:",
        "if high < 0:",
        ("tests/reproductions/test_judging.py",),
    ),
    Mutant(
        "claim-refused-while-undecided",
        "reproductions/judging.py",
        "if low > -found.relevant:",
        "if high > -found.relevant:",
        ("tests/reproductions/test_judging.py",),
    ),
    Mutant(
        "a-misprint-as-target",
        "reproductions/published.py",
        "(row.right or row.printed)[place]",
        "row.printed[place]",
        ("tests/reproductions/test_published.py",),
    ),
    Mutant(
        "other-models-as-target",
        "reproductions/result.py",
        "if row.model and row.model == ready.known_as",
        "if row.model",
        ("tests/reproductions/test_running.py",),
    ),
)

DRAWN: dict[str, tuple[str, ...]] = {
    "metrics/hints.py": ("tests/metrics/test_hints.py",),
    "mitigations/lftf.py": ("tests/mitigations/test_lftf.py",),
    "scoring/engine.py": ("tests/scoring/test_engine.py", "tests/scoring/test_memory.py"),
    "scoring/packed.py": ("tests/scoring/test_packed.py",),
    "scoring/reading.py": (
        "tests/scoring/test_reading.py",
        "tests/scoring/test_packed.py",
        "tests/scoring/test_engine.py",
    ),
    "stats/areas.py": ("tests/stats/test_areas.py",),
    "stats/changes.py": ("tests/stats/test_changes.py",),
    "stats/estimating.py": ("tests/stats/test_estimating.py",),
    "stats/gaps.py": ("tests/stats/test_gaps.py",),
    "stats/hypothesis.py": ("tests/stats/test_hypothesis.py",),
    "stats/intervals.py": ("tests/stats/test_intervals.py",),
    "stats/kinds.py": ("tests/stats/test_kinds.py", "tests/stats/test_changes.py"),
    "stats/log_odds.py": ("tests/stats/test_log_odds.py",),
    "stats/means.py": ("tests/stats/test_means.py",),
    "stats/paired.py": ("tests/stats/test_paired.py",),
    "stats/permutation.py": ("tests/stats/test_permutation.py",),
    "stats/proportions.py": ("tests/stats/test_proportions.py",),
    "stats/ranks.py": ("tests/stats/test_ranks.py",),
    "stats/ratios.py": ("tests/stats/test_ratios.py",),
    "stats/resampling.py": ("tests/stats/test_resampling.py", "tests/stats/test_estimating.py"),
    "stats/sums.py": ("tests/stats/test_sums.py",),
    "stats/weights.py": ("tests/stats/test_weights.py", "tests/stats/test_sums.py"),
    "studies/capability.py": ("tests/studies/test_capability.py", "tests/studies/test_verdict.py"),
    "studies/control.py": ("tests/studies/test_control.py",),
    "studies/control_models.py": ("tests/studies/test_control_models.py",),
    "studies/guards.py": ("tests/studies/test_guards.py", "tests/studies/test_verdict.py"),
    "studies/matching.py": ("tests/studies/test_matching.py", "tests/studies/test_control.py"),
    "studies/verdict_rule.py": ("tests/studies/test_verdict_rule.py", "tests/studies/test_verdict.py"),
    "treatments/weights.py": ("tests/treatments/test_treatments.py",),
}
"""Modules from which mutants are generated, and the tests of each."""

_TURNED: dict[type[ast.AST], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.And: "or", ast.Or: "and",
}  # fmt: skip


def generated(root: Path, file: str, tests: tuple[str, ...]) -> Iterator[Mutant]:
    """Every single mutation of the code of `file`, annotations and docstrings apart."""
    source = (root / "src" / "evenhand" / file).read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    data = source.encode()

    def at(line: int, column: int) -> int:
        return starts[line - 1] + column

    for node in _code(ast.parse(source)):
        for low, high, text in _changes(node, data, at):
            whole = data[:low] + text.encode() + data[high:]
            was = data[low:high].decode().strip()
            name = f"{file}:{node.lineno} {was} -> {text.strip()}"
            yield Mutant(name, file, source, whole.decode(), tests)


def _code(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that run when a function is called, without annotations."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.arguments):
            yield from (e for d in (*node.defaults, *node.kw_defaults) if d for e in _with_inner(d))
        elif isinstance(node, ast.AnnAssign):
            yield from _with_inner(node.value) if node.value else ()
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _code(node.args)
            for statement in node.body:
                yield from _code(ast.Module([statement], []))
        elif isinstance(node, ast.expr):
            yield from _with_inner(node)
        else:
            yield from _code(node)


def _with_inner(node: ast.expr) -> Iterator[ast.expr]:
    yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.expr))


def _changes(node: ast.expr, data: bytes, at: Callable[[int, int], int]) -> Iterator[tuple[int, int, str]]:
    """Where to put which text: byte offsets in `data` and the text in their place."""
    pairs: Sequence[tuple[ast.expr, ast.AST, ast.expr]] = ()
    if isinstance(node, ast.Compare):
        pairs = list(zip([node.left, *node.comparators], node.ops, node.comparators, strict=False))
    elif isinstance(node, ast.BinOp):
        pairs = [(node.left, node.op, node.right)]
    elif isinstance(node, ast.BoolOp):
        pairs = [(a, node.op, b) for a, b in zip(node.values, node.values[1:], strict=False)][:1]
    for left, operator, right in pairs:
        low, high = at(left.end_lineno or 0, left.end_col_offset or 0), at(right.lineno, right.col_offset)
        between, text = data[low:high].decode(), _TURNED.get(type(operator))
        if text and not set(between) & set("()#\n") and not (len(pairs) == 1 and _is_text(left, right)):
            yield low, high, f" {text} "
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        low = at(node.lineno, node.col_offset)
        yield low, low + len("not"), ""
    if isinstance(node, ast.IfExp):
        low = at(node.test.lineno, node.test.col_offset)
        high = at(node.test.end_lineno or 0, node.test.end_col_offset or 0)
        yield low, high, f"not ({data[low:high].decode()})"
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        low = at(node.lineno, node.col_offset)
        yield low, at(node.end_lineno or 0, node.end_col_offset or 0), f"({node.value!r} + 1)"


def _is_text(*nodes: ast.expr) -> bool:
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        for n in nodes
    )


@contextmanager
def copied() -> Iterator[Path]:
    """A temporary copy of the tree for mutations."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        for part in COPIED:
            source, target = ROOT / part, Path(name) / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.is_file():
                shutil.copy2(source, target)
        yield Path(name)


def outcome(root: Path, tests: Sequence[str]) -> str:
    """The result of the tests in the copy at `root`: ``passed``, ``failed``, or why there is none."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",  # two mutants of one second and one size would share their bytecode
        "PYTHONHASHSEED": "0",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the installed package's own plug-in is not the copy's
    }
    environment.setdefault("EVENHAND_CACHE", str(ROOT / ".cache" / "evenhand"))
    environment.setdefault("OMP_NUM_THREADS", "1")
    if (data := ROOT.parent / "shared" / "data").is_dir():
        environment.setdefault("EVENHAND_DATA", str(data))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {LIMIT} s"
    said = done.stdout.strip().splitlines()
    return {0: "passed", 1: "failed"}.get(done.returncode, f"no answer: {said[-1] if said else done.stderr}")


def judged(root: Path, mutant: Mutant) -> str:
    """``killed``, ``SURVIVED``, or why neither is known; the copy at `root` is restored afterwards."""
    path = root / "src" / "evenhand" / mutant.file
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(mutant.planted(root), encoding="utf-8")
        said = outcome(root, mutant.tests)
    finally:
        path.write_text(original, encoding="utf-8")
    return {"passed": "SURVIVED", "failed": "killed"}.get(said, said)


def _chosen(options: argparse.Namespace, root: Path) -> list[Mutant]:
    if not options.random:
        unknown = set(options.names) - {m.name for m in LISTED}
        if unknown:
            raise SystemExit(
                f"There is no mutant {', '.join(sorted(unknown))}. Choose from: "
                f"{', '.join(m.name for m in LISTED)}."
            )
        return [m for m in LISTED if not options.names or m.name in options.names]
    modules = {f: t for f, t in DRAWN.items() if not options.module or f == options.module}
    if not modules:
        raise SystemExit(f"No tests are named for {options.module}. Choose from: {', '.join(DRAWN)}.")
    every = [m for file, tests in modules.items() for m in generated(root, file, tests)]
    return random.Random(options.seed).sample(every, min(options.random, len(every)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run mutants and print the table; 1 if one survived, or if its tests fail without it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="mutants of the list; all of them by default")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N generated mutants instead")
    parser.add_argument("--seed", type=int, default=0, help="decides which are drawn")
    parser.add_argument("--module", help="draw from this module alone, such as studies/verdict_rule.py")
    options = parser.parse_args(argv)
    with copied() as root:
        mutants = _chosen(options, root)
        sound = {tests: outcome(root, tests) for tests in dict.fromkeys(m.tests for m in mutants)}
        for tests, said in sound.items():
            if said != "passed":
                print(f"{' '.join(tests)}: {said} without any mutant, so that nothing can be told.")
                return 1
        table = []
        for mutant in mutants:
            table.append(judged(root, mutant))
            print(f"{table[-1]:10}{mutant.name}  [{mutant.file}]", flush=True)
    print(f"{table.count('killed')} of {len(table)} killed")
    return int(table.count("killed") < len(table))


if __name__ == "__main__":
    sys.exit(main())
