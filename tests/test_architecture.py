"""The house keeps its shape: imports point down the floors, siblings do not meet, budgets hold."""

from __future__ import annotations

import ast
import importlib
import re
import statistics
from functools import cache
from pathlib import Path

import evenhand
from evenhand import registry
from evenhand.cli.app import GROUPS, VERBS, app

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
            "hashing",
            "decimals",
            "ties",
            "jensen_shannon",
            "tables",
            "quoting",
            "sizes",
            "locks",
            "folders",
            "outputs",
            "thinking",
            "schema",
            "provenance",
            "toml",
            "vendored",
        }
    ),
    frozenset({"stats", "influence", "metrics", "pls", "subspaces"}),
    # The machines, in this order: each may know those before it.
    *(
        frozenset({unit})
        for unit in (
            "sources",
            "architectures",
            "scoring",
            "hooks",
            "models",
            "postprocessing",
            "treatments",
            "training",
            "lab",
            "opening",
            "workers",
            "people",
            "frames",
            "corpora",
            "linting",
        )
    ),
    frozenset({"audits", "benchmarks", "controls", "locators", "mitigations", "repairs"}),
    frozenset({"studies"}),
    frozenset({"reproductions"}),
    frozenset({"reports", "monitor", "publishing", "testing", "cli", "__main__"}),
)
# What is given to `import_module`, without quotes: the only places that import by a made-up name.
DYNAMIC = {
    "registry.py": ["FOLDERS[kind]", "path", "self.module"],
    "scoring/runners/__init__.py": ["{__name__}.{found.name}"],
    "cli/app.py": ["evenhand.cli.{module}"],
    "__init__.py": ["evenhand.{_HOMES.get(name, 'records')}"],
}
METHOD_FOLDERS = frozenset({"audits", "benchmarks", "controls", "locators", "mitigations", "repairs"})


def _modules() -> list[Path]:
    return sorted(p for p in SOURCE.rglob("*.py") if p != SOURCE / "__init__.py")


def _unit(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module; what stands under TYPE_CHECKING is no part of the running program."""
    skipped = {
        id(node)
        for block in ast.walk(_tree(path))
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    return tuple(node for node in ast.walk(_tree(path)) if id(node) not in skipped)


def _imports(path: Path) -> set[str]:
    """Dotted names below evenhand that a module imports, with each name that it takes from there."""
    found: set[str] = set()
    for node in _nodes(path):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            if node.module == "evenhand":
                found |= {_home(alias.name) for alias in node.names if alias.name != "__version__"}
            elif node.module and node.module.startswith("evenhand."):
                name = node.module.removeprefix("evenhand.")
                found |= {_file_name(f"{name}.{alias.name}") or name for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert alias.name != "evenhand", f"{path}: take what is needed from its own module"
            found |= {a.name.removeprefix("evenhand.") for a in node.names if a.name.startswith("evenhand.")}
    return found


def _home(name: str) -> str:
    """The unit or module behind a name of the package root, also where the root loads it only when used."""
    return name if _file_name(name) else str(evenhand._HOMES.get(name, "records"))


@cache
def _files() -> dict[str, Path]:
    """Every module by its dotted name below evenhand."""
    names = (".".join(p.relative_to(SOURCE).with_suffix("").parts) for p in _modules())
    return dict(zip((name.removesuffix(".__init__") for name in names), _modules(), strict=True))


def _file_name(name: str) -> str | None:
    return name if name in _files() else None


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


# Circles between files that are known and still to be cut: pairs of dotted names, importer first.
KNOWN_CIRCLES: frozenset[tuple[str, str]] = frozenset()


def test_no_cycle_between_files() -> None:
    """An import inside a function counts: two such files cannot be understood one after the other."""
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(_imports(_files()[name]) - {name}):
                if target in _files() and (name, target) not in KNOWN_CIRCLES:
                    walk(target, (*trail, name))
            done.add(name)

    for name in _files():
        walk(name, ())


def test_no_import_hides_in_a_string() -> None:
    """Only the registry and the runners, over their folders, and the root, over its nouns' homes, do so."""
    for path in (*_modules(), SOURCE / "__init__.py"):
        calls = [
            ast.unparse(node.args[0]).replace(chr(34), "'").removeprefix("f").strip("'")
            for node in ast.walk(_tree(path))
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}
        ]
        assert sorted(calls) == DYNAMIC.get(str(path.relative_to(SOURCE)), []), path
        for node in _nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.fullmatch(r"evenhand(\.\w+)+:\w+", node.value), f"{path}: {node.value}"


def test_what_is_imported_by_name_exists() -> None:
    for folder in registry.FOLDERS.values():
        assert folder.removeprefix("evenhand.") in _files()
    assert set(evenhand._HOMES.values()) <= set(_files())
    assert {f"cli.{name}" for name in (*VERBS, *(module for module, _ in GROUPS.values()))} <= set(_files())


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


def _components() -> set[str]:
    """The functions that are components, as `_functions` names them: those that `component` stands for."""
    return {
        f"{path.relative_to(SOURCE)}:{node.value.id}"
        for path in _modules()
        if any(f"evenhand.{_unit(path)}" == folder for folder in registry.FOLDERS.values())
        for node in _tree(path).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        if [ast.unparse(target) for target in node.targets] == ["component"]
    }


def _commands() -> set[str]:
    """The functions that the typer application runs as its commands, as `_functions` names them."""
    apps, calls = [app], []
    for one in apps:  # which grows by the groups of each
        apps += [group.typer_instance for group in one.registered_groups if group.typer_instance is not None]
        calls += [command.callback for command in one.registered_commands if command.callback]
    return {f"{'/'.join(call.__module__.split('.')[1:])}.py:{call.__name__}" for call in calls}


def test_functions_are_typed_and_take_few_arguments() -> None:
    optional = _components() | _commands()
    for name, node in _functions():
        assert node.returns is not None, f"{name} states no return type"
        given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        count = len([a for a in given if a.arg not in {"self", "cls"}])
        if name in optional:
            continue  # its parameters are the options that a user may set
        assert count <= 6, f"{name} takes {count} parameters"
