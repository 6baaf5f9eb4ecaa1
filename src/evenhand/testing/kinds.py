"""Which contracts each kind of component has, and what a name on the command line stands for."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from evenhand import registry
from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.testing.cases import KINDS, Case
from evenhand.testing.contracts import SLOW, Contract, Outcome, Subject, tried


@dataclass(frozen=True)
class Kind:
    """The contracts of a kind.

    Attributes:
        contracts: those that are always tried.
        slow: those that take minutes.
        specs: with which options of a case a contract is tried.
    """

    contracts: Sequence[Contract]
    slow: Sequence[Contract] = ()
    specs: Callable[[Contract, Any], Sequence[str]] = lambda contract, case: (case.name,)


def _benchmarks() -> Kind:
    from evenhand.testing import benchmarks

    return Kind(benchmarks.CONTRACTS, specs=benchmarks.specs)


def _metrics() -> Kind:
    from evenhand.testing import metrics

    return Kind(metrics.CONTRACTS)


def _locators() -> Kind:
    from evenhand.testing import locators

    return Kind(locators.CONTRACTS, locators.SLOW)


def _mitigations() -> Kind:
    from evenhand.testing import mitigations

    return Kind(mitigations.CONTRACTS)


def _controls() -> Kind:
    from evenhand.testing import controls

    return Kind(controls.CONTRACTS)


def _audits() -> Kind:
    from evenhand.testing import audits

    return Kind(audits.CONTRACTS)


def _models() -> Kind:
    from evenhand.testing import models

    return Kind(models.CONTRACTS)


# Each imports what its contracts need: those of metrics and most of those of benchmarks run without torch.
_KINDS: Mapping[str, Callable[[], Kind]] = {
    "benchmark": _benchmarks,
    "metric": _metrics,
    "locator": _locators,
    "mitigation": _mitigations,
    "control": _controls,
    "model": _models,
    "audit": _audits,
}
TORCH = frozenset({"locator", "mitigation", "control"})


def kind_names() -> tuple[str, ...]:
    """The kinds that have contracts."""
    return tuple(_KINDS)


def kind_of(spec: str, given: str | None = None) -> str:
    """The kind of the component that `spec` names, of those that have contracts.

    A kind that is `given` holds. A model is only found where the kind says so.

    Raises:
        UnknownName: no component has the name.
        UsageError: several have it, or there is no such kind.
    """
    if given is not None and given not in _KINDS:
        raise UnknownName("kind of component with contracts", given, _KINDS)
    if given == "model":
        return given
    name = registry.parse(spec).name
    if given is not None:
        registry.get(given, name)
        return given
    kinds = [kind for kind in _KINDS if kind in registry.FOLDERS and name in registry.names(kind)]
    if not kinds:
        known = {n for kind in _KINDS if kind in registry.FOLDERS for n in registry.names(kind)}
        raise UnknownName("component", name, known, mend="A model needs --kind model.", lister="evenhand ls")
    if len(kinds) > 1:
        raise UsageError(
            f"{name!r} is the name of a {' and of a '.join(kinds)}.",
            mend=f"Say which one you mean: --kind {kinds[0]}.",
        )
    return kinds[0]


def case_of(kind: str, spec: str, given: str = "") -> Case | None:
    """The case of a component, or None where it has none.

    `given` (``module:NAME``) comes first, then the component's attribute `case`, then the entry point of the
    group ``evenhand.cases`` that has the component's name. Each may be one case or several.

    Raises:
        UsageError: `given` names nothing, or no case of this component.
    """
    name = spec if kind == "model" else registry.parse(spec).name
    if given:
        found = _chosen(_resolved(given), kind, name)
        if found is None:
            raise UsageError(
                f"{given} holds no case of the {kind} {name!r}.",
                mend="Name a case from evenhand.testing, or a tuple of them; `name` is the component's.",
            )
        return found
    component = None if kind == "model" else registry.get(kind, name)
    points = (p.load() for p in entry_points(group="evenhand.cases") if p.name == name)
    cases = (_chosen(one, kind, name) for one in (getattr(component, "case", None), *points))
    return next((case for case in cases if case is not None), None)


def check(kind: str, spec: str, case: Case | None) -> None:
    """Refuse a spec with a mistake of the user, which is no fault of the component, before any contract.

    Raises:
        BadOption: the component has no such option, or not with this value.
        EvenhandError: the model cannot be opened.
    """
    if kind == "model":
        from evenhand.testing.models import opened

        opened(Subject(kind, spec, case))
    elif ":" in spec:
        if kind == "metric":
            raise BadOption(f"A metric takes no options: {spec!r}.", mend="Write the metric's name alone.")
        try:
            Subject(kind, spec, case).make()
        except BadOption:
            raise
        except Exception:
            return  # the contracts will say it


def _resolved(place: str) -> Any:
    if ":" not in place:
        raise UsageError(f"{place!r} names no case.", mend="Write module:NAME, such as my_tests.test_x:CASE.")
    try:
        return pkgutil.resolve_name(place)
    except (ImportError, AttributeError, ValueError) as absent:
        raise UsageError(
            f"The case {place} cannot be imported: {absent}.",
            mend="Write module:NAME of a module on the import path.",
        ) from absent


def _chosen(found: Any, kind: str, name: str) -> Case | None:
    several = found if isinstance(found, tuple | list) else (found,)
    return next((one for one in several if KINDS.get(type(one)) == kind and one.name == name), None)


def judge(
    spec: str, kind: str | None = None, case: Case | None = None, *, slow: bool = False
) -> Iterator[Outcome]:
    """Try every contract of the component's kind on it; a slow one only if `slow`.

    Without options in `spec`, a contract is tried with all those that the case names. A case that is not
    given is looked for.

    Raises:
        UsageError: `spec` names no component, or several.
    """
    kind = kind_of(spec, kind)
    case = case_of(kind, spec) if case is None else case
    contracts = _KINDS[kind]()
    bare = case is not None and spec == case.name
    for contract in contracts.contracts:
        specs = contracts.specs(contract, case) if bare else (spec,)
        yield tried(contract, [Subject(kind, one, case) for one in specs])
    for contract in contracts.slow:
        if slow:
            yield tried(contract, [Subject(kind, spec, case)])
        else:
            yield Outcome(contract.__name__, "skipped", f"it is slow; {SLOW} tries it", SLOW)
