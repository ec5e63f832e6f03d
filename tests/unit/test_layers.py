"""The structure that CONTRIBUTING.md promises."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import naga

SOURCE = Path(naga.__file__).parent
# From the top of the house to its foundations; a folder inside a room that is listed here is a room of its own.
LAYERS = [
    ["__init__", "mlflow_log", "pytest_plugin"],
    ["cli"],
    ["task"],
    ["crate"],
    ["sweep", "reproduce"],
    ["run"],
    ["diagnose.batch"],
    ["diagnose"],
    ["compare", "tidy"],
    ["tracking"],
    ["launch"],
    ["runs"],
    ["capture.code", "capture.data"],
    ["capture"],
    ["save_dir"],
    ["hashing"],
    ["config"],
    ["paths", "wrapper"],
    ["process"],
    ["record"],
    ["cache_dir", "errors", "terminal"],
    ["declarations", "layout", "project", "secrets", "wording"],
    ["frozen"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(dotted: str) -> str:
    """The room of a module, given its name below the package."""
    parts = dotted.split(".")
    return next((name for name in (".".join(parts[:2]), parts[0]) if name in RANK), "__init__")


def room(module: Path) -> str:
    """The room that a module is in."""
    parts = module.relative_to(SOURCE).with_suffix("").parts
    return room_of(".".join(parts))


def imported_rooms(module: Path) -> set[str]:
    """The rooms of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {room_of(name.removeprefix("naga.")) for name in names if name.startswith("naga.")}
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(module: Path) -> None:
    """A module imports from its own room and from those below."""
    for name in imported_rooms(module):
        assert name == room(module) or RANK[name] > RANK[room(module)], f"imports naga.{name}"


def test_only_one_module_runs_git() -> None:
    """The others that start processes start Python, or ask Slurm, and name no other program."""
    running = {path for path in MODULES if "subprocess" in imported_names(path)}
    assert {path.name for path in running} == {
        "compute.py",
        "git.py",
        "local.py",
        "publisher.py",
        "reader.py",
        "environment.py",
        "slurm.py",
    }
    for path in running:
        assert path.name in ("git.py", "slurm.py") or "sys.executable" in path.read_text(), path


def test_only_tracking_knows_mlflow() -> None:
    """MLflow is imported in one room."""
    knowing = [path for path in MODULES if any(name.split(".")[0] == "mlflow" for name in imported_names(path))]
    assert knowing
    assert {room(path) for path in knowing} == {"tracking"}


def test_hashing_knows_nothing_of_runs() -> None:
    """It could be a package of its own."""
    used = {name for path in MODULES if room(path) == "hashing" for name in imported_rooms(path)}
    assert used == {"hashing", "errors", "cache_dir", "frozen", "wording"}


def test_rooms_are_small() -> None:
    """At most 14 modules in a folder, and 350 lines in a module."""
    for folder in {path.parent for path in MODULES}:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 14, folder
    assert [str(path) for path in MODULES if len(path.read_text().splitlines()) > 350] == []


def test_no_module_needs_itself() -> None:
    """What modules import when they are imported forms no circle."""
    needs = {dotted(path): top_imports(path) for path in MODULES}
    while leaves := [name for name, needed in needs.items() if not needed & needs.keys()]:
        for name in leaves:
            del needs[name]
    assert needs == {}


def test_internal_modules_export_nothing() -> None:
    """A list of names is for the modules that users import from."""
    listing = {dotted(path) for path in MODULES if "__all__ =" in path.read_text()}
    assert listing <= {"naga", "naga.mlflow_log", "naga.errors"}


def test_tests_mirror_the_modules() -> None:
    """A unit test is where its module is, under its name."""
    tests = Path(__file__).parent
    about_all = {"test_layers.py", "test_contributing.py"}
    of = {path.relative_to(tests) for path in tests.rglob("test_*.py") if path.name not in about_all}
    assert [str(path) for path in of if not (SOURCE / path.with_name(path.name.removeprefix("test_"))).exists()] == []


def dotted(module: Path) -> str:
    """The name that a file is imported by."""
    parts = ("naga", *module.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top_imports(module: Path) -> set[str]:
    """Modules of the package that a file imports as soon as it is imported."""
    names = {dotted(path) for path in MODULES}
    found = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found & names - {dotted(module), "naga"}


def imported_names(module: Path) -> set[str]:
    """Whole modules that a file imports."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("heavy", ["mlflow", "rich", "blake3", "sqlite3", "asyncio", "sqlalchemy"])
def test_import_naga_is_light(heavy: str) -> None:
    """`import naga` does not import what only some calls need."""
    program = f"import naga, sys; sys.exit({heavy!r} in sys.modules)"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it needs sqlite3
    assert subprocess.run([sys.executable, "-c", program], check=False, env=plain).returncode == 0


def test_import_has_no_side_effects(tmp_path: Path) -> None:
    """Importing and decorating write nothing and register nothing."""
    program = (
        "import omegaconf, naga, naga.mlflow_log\n"
        "@naga.runlock\n@naga.snapshot\n@naga.track_data('x')\n@naga.clicfg\ndef main(cfg={'save_dir': 'r'}): ...\n"
        "@naga.mlflow_log.mlflow_log_run\ndef diag(cfg): ...\n"
        "assert not omegaconf.OmegaConf.has_resolver('now')\n"
    )
    subprocess.run([sys.executable, "-c", program, "nonsense"], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
