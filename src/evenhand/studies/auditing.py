"""``audit``: a data set is opened, its columns are read as asked, and every audit is tried on it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from evenhand import progress, registry
from evenhand.audits import Audit, Question, TextQuestion
from evenhand.audits._question import Classifier
from evenhand.corpora import opened_corpus
from evenhand.errors import BadData, BadOption, UsageError
from evenhand.frames import Frame, opened
from evenhand.frames.frame import IN_MEMORY
from evenhand.frames.opening import of_files, shown_address
from evenhand.linting.impact_ratios import NAMES
from evenhand.provenance import made_by
from evenhand.records import Audited, Finding
from evenhand.studies.advising import advised
from evenhand.studies.audit_command import command_of, is_texts
from evenhand.studies.audit_options import AuditOptions
from evenhand.studies.audit_values import DATES, refused
from evenhand.studies.declaring import declared
from evenhand.studies.reading import are_scores, baselines, binned, labelled, numeric
from evenhand.studies.suppressing import suppressed

LL144 = "ll144"
PROFILES: Mapping[str, tuple[str, ...]] = {LL144: ("impact_ratio",)}
_PUBLISHED = ("published_ratios",)
OF_TABLES = (
    "sensitive", "target", "positive", "baseline", "bins", "missing", "against", "weights", "profile",
    "sample", "skip_broken",
)  # fmt: skip
OF_TEXTS = ("attribute", "classifier")


def audit(
    source: Any,
    sensitive: str | Sequence[str] = (),
    target: str = "",
    *,
    classifier: Classifier | str | None = None,
    **options: Any,
) -> Audited:
    """Audit a data set: a path, a pattern, a database's table, a data frame, or texts.

    `options` are the fields of `AuditOptions`; columns and labels may be a list, or a text such as
    ``sex,race``, where a name with a comma stands in double quotes. `classifier` scores texts from 0 to 1, or
    names what does.

    Raises:
        BadData: the data cannot be read.
        UnknownName: a column or an audit does not exist; the message gives near names.
        BadOption: an option cannot be used; the message names it.
        UsageError: what is asked cannot be answered with these columns, or would be without effect.
        MissingExtra: Ibis is not installed.
    """
    given = options_of(sensitive, target, options)
    if isinstance(classifier, str):
        return audited(source, dataclasses.replace(given, classifier=classifier))
    if classifier is not None and not callable(classifier):
        mend = "Write 'lexicon' or 'hf:org/name', or give a function from texts to scores from 0 to 1."
        raise refused("classifier", classifier, mend)
    return audited(source, given, classifier=classifier)


def options_of(sensitive: str | Sequence[str], target: str, options: Mapping[str, Any]) -> AuditOptions:
    """The options of an audit from what Python was given; columns may stand in one text.

    Raises:
        BadOption: there is no option of that name.
    """
    known = {one.name for one in dataclasses.fields(AuditOptions)}
    if wrong := [name for name in options if name not in known]:
        raise BadOption(f"audit has no option {wrong[0]!r}.", mend=f"It takes: {', '.join(sorted(known))}.")
    return AuditOptions(sensitive=sensitive, target=target, **options)


def audited(
    source: Any, options: AuditOptions, *, classifier: Classifier | None = None, command: Sequence[str] = ()
) -> Audited:
    """The audit of a source under options; `command` is what asked for it, where that was a command line."""
    question = question_of(source, options, classifier=classifier, command=command)
    return answered(question, options)


def question_of(
    source: Any,
    options: AuditOptions,
    *,
    classifier: Classifier | None = None,
    command: Sequence[str] = (),
    before: Question | None = None,
) -> Question | TextQuestion:
    """What is asked, with everything checked that can be checked before any counting.

    What was not shown of the table `before` a repair is not shown of this one either.
    """
    typed = tuple(command) or command_of(source, options)
    texts = is_texts(source, options)
    _check_kind(options, texts, classifier)
    _check_audits(options)
    if texts:
        corpus = opened_corpus(source, options.text_column)
        if classifier is None and options.classifier:
            classifier = toxicity_by(options.classifier)
        return TextQuestion(corpus, options.attribute, classifier, options.suppress, options.seed, typed)
    return _table_question(source, options, typed, before)


def _check_kind(options: AuditOptions, texts: bool, classifier: Classifier | None) -> None:
    """Refuse options of tables beside texts, and of texts beside a table: they would be without effect.

    Raises:
        UsageError: one is given.
    """
    usual = AuditOptions()
    kind, other, names = ("texts", "tables", OF_TABLES) if texts else ("a table", "texts", OF_TEXTS)
    given = [
        f"--{name.replace('_', '-')}"
        for name in names
        if _differs(getattr(options, name), getattr(usual, name))
    ]
    given += ["--classifier"] if classifier is not None and not texts else []
    if given:
        said = f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} about {other}"
        convert = ", or convert a table in JSON lines to CSV or parquet" if texts else ""
        raise UsageError(
            f"{said}, and this data set is {kind}.", mend=f"Leave out {' and '.join(given)}{convert}."
        )


def _differs(value: object, usual: object) -> bool:
    """Whether an option was given; empty it was not. A data frame equals nothing."""
    if value is None or isinstance(value, str | int | Mapping | Sequence):
        return bool(value) and value != usual
    return True


def _check_audits(options: AuditOptions) -> None:
    """Refuse names and options of audits that do not exist.

    Raises:
        UnknownName, UsageError: as `registry.create`; BadOption: an option or a profile that cannot be used.
    """
    for spec in registry.spec_texts(options.audits, "audit"):
        _check_numbers(spec, registry.create("audit", spec))
    if options.profile and options.profile not in PROFILES:
        raise BadOption(
            f"There is no profile {options.profile!r}.", mend=f"Write one of: {', '.join(PROFILES)}."
        )


def toxicity_by(spec: str) -> Classifier:
    """A function from texts to their toxicity by the classifier that `spec` names.

    Raises:
        BadOption: it names none, or one without a label for toxic texts.
        EvenhandError: as for opening a model.
    """
    from evenhand.benchmarks._written import toxic_label
    from evenhand.models.classifier import open_classifier

    opened_one = open_classifier(spec, "toxicity")
    label = toxic_label(opened_one.labels, "")
    return lambda texts: [labels[label] for labels in opened_one.classify(texts)]


def answered(question: Question | TextQuestion, options: AuditOptions) -> Audited:
    """Every audit that applies, tried on the question."""
    findings: list[Finding] = []
    chosen = list(_chosen(question, options))
    with progress.task("Auditing", len(chosen), unit="audit") as advance:
        for _, one in chosen:
            findings += one.findings(question)
            advance(1)
    n, columns, notes = _described(question)
    table = isinstance(question, Question)
    return Audited(
        source=question.frame.name if isinstance(question, Question) else question.corpus.name,
        kind="table" if table else "texts",
        n=n,
        columns=columns,
        sensitive=question.sensitive if isinstance(question, Question) else (question.attribute,),
        target=(question.target or None) if isinstance(question, Question) else None,
        findings=tuple(advised(question, findings)),
        notes=tuple(dict.fromkeys([*notes, *question.notes])),
        tried=tuple(dict.fromkeys(name for name, _ in chosen)) if n else (),
        seed=options.seed,
        made_by=made_by(packages=("numpy", "ibis-framework", "duckdb") if table else ("numpy", "pyarrow")),
    )


def _described(question: Question | TextQuestion) -> tuple[int, dict[str, str], list[str]]:
    if isinstance(question, Question):
        return question.frame.rows, question.frame.types, question.frame.notes
    counted = question.counted()
    totals = {"documents": str(counted.documents), "bytes": str(counted.bytes), "words": str(counted.lengths)}
    notes = list(question.corpus.notes)
    if question.withheld:
        notes.append(
            f"Kinds of fewer than {question.suppress} documents are left out of every figure, by the one "
            f"group of {question.attribute} that they mention: {', '.join(question.withheld)}."
        )
    return counted.documents, totals, notes


def _table_question(
    source: Any, options: AuditOptions, command: tuple[str, ...], before: Question | None
) -> Question:
    if options.skip_broken and not (of_files(source) or of_files(options.against)):
        raise UsageError(
            f"--skip-broken leaves out files, and {_called(source)} is none.", mend="Leave out --skip-broken."
        )
    frame = opened(source, skip_broken=options.skip_broken)
    if options.weights:
        frame = _weighted(frame, frame.column(options.weights), options.suppress)
    published = set(NAMES) <= set(frame.columns)
    if not options.sensitive and not published:
        raise UsageError(
            f"Say which column of {frame.name} holds a sensitive attribute.",
            mend=f"Add --sensitive with one of: {', '.join(frame.columns[:20])}.",
        )
    sensitive = tuple(dict.fromkeys(frame.column(name) for name in options.sensitive))
    target = frame.column(options.target) if options.target else ""
    if target in sensitive:
        raise UsageError(f"{target} is both target and sensitive.", mend="Name two columns.")
    baseline = baselines(options.baseline, sensitive)
    against = None
    if options.against is not None:
        against = opened(options.against, skip_broken=options.skip_broken)
        against = against.named([*sensitive, target] if target else sensitive)
    frame = as_read = declared(frame, options.missing)
    against = against and declared(against, options.missing, found=False)
    frame = binned(frame, options.bins)
    against = against and binned(against, options.bins)
    question = Question(
        frame=frame,
        sensitive=sensitive,
        target=target,
        baseline=baseline,
        against=against,
        suppress=options.suppress,
        sample=options.sample,
        seed=options.seed,
        as_read=as_read if options.suppress < 2 else None,
        left_out={} if before is None else before.left_out,
        crossed=before is None or before.crossed,
        command=command,
    )
    question = suppressed(question, scores=are_scores(options.positive))
    question = labelled(question, options.positive, some=before is not None)
    if not published or options.sensitive:
        _check_groups(question, {frame.column(name): rule for name, rule in options.bins.items()})
    return question


def _called(source: Any) -> str:
    """What a source that is no file is called in a message."""
    return shown_address(source) if isinstance(source, str) else IN_MEMORY[0]


def _weighted(frame: Frame, column: str, suppress: int) -> Frame:
    """The frame with `column` as the rows' weights; rows of weight 0 are left out, for they count nothing.

    A note says how many these are, unless they are fewer than `suppress`.

    Raises:
        BadData: a weight is negative or no number, or all of them are 0.
    """
    weight = numeric(frame, frame.table[column])
    wrong = weight.isnull() | weight.isnan() | weight.isinf() | (weight < 0)
    asked = frame.table.aggregate(wrong=wrong.sum(), nothing=(weight == 0).sum())
    wrong_rows, empty = (frame.fetch(asked, 1)[name][0].as_py() or 0 for name in ("wrong", "nothing"))
    if wrong_rows or empty == frame.rows:
        why = f"is negative or no number in {wrong_rows}" if wrong_rows else "is 0 in all"
        raise BadData(
            f"The weight {column} of {frame.name} {why} of {frame.rows} rows.",
            mend="Write weights of 0 or more, or name another column with --weights.",
        )
    if not empty:
        return frame.having(frame.table, weights=column)
    many = empty if empty >= suppress else f"Fewer than {suppress}"
    frame.notes.append(f"{many} rows of weight 0 are left out.")
    return frame.having(frame.table.filter(weight > 0), weights=column)


def _check_groups(question: Question, bins: Mapping[str, str]) -> None:
    """Refuse attributes without any value, before audits that would each say so; `bins` are those asked for.

    Raises:
        UsageError: no row has a value.
    """
    for name in question.sensitive:
        if not question.cells((name,)).keys:
            rule = bins.get(name)
            what = "value" if rule is None else "date" if rule in DATES else "number"
            raise UsageError(
                f"The column {name} of {question.frame.name} has no {what} in any of its "
                f"{question.frame.rows} rows.",
                mend="Name another column." if rule is None else f"Leave out --bins {name}={rule}.",
            )


def _chosen(question: Question | TextQuestion, options: AuditOptions) -> Iterator[tuple[str, Audit]]:
    """The audits to try, with their names; a note for each that was asked for or needs what is not there."""
    reads = "table" if isinstance(question, Question) else "texts"
    has = _held(question)
    given = registry.spec_texts(options.audits, "audit") if options.audits else ()
    asked = list(given) or list(PROFILES.get(options.profile, ()))
    if isinstance(question, Question) and not question.sensitive and not options.audits:
        asked = list(_PUBLISHED)
    for spec in asked or registry.names("audit"):
        made: Audit = registry.create("audit", spec)
        lacking = sorted(made.needs - has)
        if made.reads != reads:
            if asked:
                raise UsageError(
                    f"The audit {spec} is about {made.reads}, not {reads}.", mend="`evenhand ls audits`"
                )
            continue
        if lacking and options.audits:
            raise UsageError(f"The audit {spec} needs {_NEEDS[lacking[0]][0]}.", mend=_NEEDS[lacking[0]][1])
        if lacking:
            if _NEEDS[lacking[0]][2]:
                question.notes.append(f"{spec} was not tried: it needs {_NEEDS[lacking[0]][0]}.")
            continue
        yield registry.parse(spec).name, made


def _check_numbers(spec: str, made: Audit) -> None:
    """Refuse tolerances and other numbers that nothing can be compared with.

    Raises:
        BadOption: one is negative or no finite number.
    """
    for one in dataclasses.fields(made):  # type: ignore[arg-type]
        value = getattr(made, one.name)
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise BadOption(
                f"The audit {spec} cannot use {one.name}={value}.", mend="Write a number of 0 or more."
            )


_NEEDS: Mapping[
    str, tuple[str, str, bool]
] = {  # what it is, how it is given, whether its lack is worth a note
    "target": ("a target", "Add --target with the column of labels.", True),
    "against": ("another data set", "Add --against with a file of the same columns.", False),
    "classifier": ("a classifier of texts", "Add --classifier lexicon, or hf:org/name.", True),
    "published": ("a file of published impact ratios", f"Its columns are {', '.join(NAMES)}.", False),
}


def _held(question: Question | TextQuestion) -> frozenset[str]:
    if isinstance(question, TextQuestion):
        return frozenset({"classifier"} if question.classifier is not None else ())
    held: dict[str, Callable[[Question], bool]] = {
        "target": lambda q: bool(q.target),
        "against": lambda q: q.against is not None,
        "published": lambda q: set(NAMES) <= set(q.frame.columns),
    }
    return frozenset(name for name, there in held.items() if there(question))
