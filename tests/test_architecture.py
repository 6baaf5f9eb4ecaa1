"""The house keeps its shape: imports point down the floors, siblings do not meet, budgets hold."""

from __future__ import annotations

import ast
import importlib
import statistics
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "evenhand"

# Lower floors first; a unit may import only units of its own floor or of lower ones, never in a circle.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "errors",
            "records",
            "registry",
            "lexicons",
            "progress",
            "files",
            "paths",
            "decimals",
            "ordering",
            "tables",
            "locks",
            "folders",
            "outputs",
        }
    ),
    frozenset({"stats", "influence", "metrics"}),
    frozenset(
        {
            "sources",
            "models",
            "scoring",
            "lab",
            "hooks",
            "training",
            "treatments",
            "people",
            "postprocessing",
        }
    ),
    frozenset({"audits", "benchmarks", "locators", "mitigations"}),
    frozenset({"studies"}),
    frozenset({"reports", "monitor", "cli", "__main__"}),
)
METHOD_FOLDERS = frozenset({"audits", "benchmarks", "locators", "mitigations"})


def _modules() -> list[Path]:
    return sorted(p for p in SOURCE.rglob("*.py") if p != SOURCE / "__init__.py")


def _unit(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> set[str]:
    """Dotted names below evenhand that a module imports, type-checking imports apart."""
    found: set[str] = set()
    skipped = {
        id(node)
        for block in ast.walk(_tree(path))
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(_tree(path)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            if node.module == "evenhand":
                found |= {alias.name for alias in node.names}
            elif node.module and node.module.startswith("evenhand."):
                found.add(node.module.removeprefix("evenhand."))
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("evenhand.") for a in node.names if a.name.startswith("evenhand.")}
    return {name for name in found if not name.startswith("__")}


def _floor(unit: str) -> int:
    for number, units in enumerate(FLOORS):
        if unit in units:
            return number
    raise AssertionError(f"{unit} stands on no floor: name it in FLOORS and in the design")


def test_imports_point_down() -> None:
    for path in _modules():
        here = _floor(_unit(path))
        for name in _imports(path):
            up = _floor(name.split(".")[0])
            assert up <= here, f"{path.relative_to(SOURCE)} on floor {here} imports {name} from floor {up}"


def test_no_cycle_between_units() -> None:
    arrows: dict[str, set[str]] = {}
    for path in _modules():
        unit = _unit(path)
        arrows.setdefault(unit, set()).update(
            n.split(".")[0] for n in _imports(path) if n.split(".")[0] != unit
        )
    done: set[str] = set()

    def walk(unit: str, trail: tuple[str, ...]) -> None:
        assert unit not in trail, " -> ".join((*trail, unit))
        if unit not in done:
            for target in arrows.get(unit, ()):
                walk(target, (*trail, unit))
            done.add(unit)

    for unit in arrows:
        walk(unit, ())


def test_siblings_do_not_meet() -> None:
    for path in (p for p in _modules() if _unit(p) in METHOD_FOLDERS):
        here = path.relative_to(SOURCE)
        for name in _imports(path):
            top, *rest = name.split(".")
            assert top == _unit(path) or top not in METHOD_FOLDERS or not rest, f"{here} imports {name}"
            if top == _unit(path) and rest:
                assert rest[0].startswith("_"), f"{here} imports its sibling {name}; share through a helper"


def test_every_module_imports() -> None:
    for path in (p for p in _modules() if p.name != "__main__.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        importlib.import_module(".".join(("evenhand", *parts)).removesuffix(".__init__"))


def _functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (f"{path.relative_to(SOURCE)}:{node.name}", node)
        for path in _modules()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring and signature: what a reader has to follow."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_modules_stay_small() -> None:
    sizes = {str(p.relative_to(SOURCE)): len(p.read_text(encoding="utf-8").splitlines()) for p in _modules()}
    assert {name: size for name, size in sizes.items() if size > 400} == {}
    assert statistics.median(sizes.values()) <= 150


def test_functions_stay_small() -> None:
    sizes = {name: _body_lines(node) for name, node in _functions()}
    assert {name: size for name, size in sizes.items() if size > 60} == {}
    assert statistics.median(sizes.values()) <= 10
    assert statistics.quantiles(sizes.values(), n=10)[-1] <= 40


def test_functions_are_typed_and_take_few_arguments() -> None:
    for name, node in _functions():
        assert node.returns is not None, f"{name} states no return type"
        given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        count = len([a for a in given if a.arg not in {"self", "cls"}])
        if name.startswith(("benchmarks/", "cli/")):
            continue  # their parameters are the options that a user may set
        assert count <= 6, f"{name} takes {count} parameters"
