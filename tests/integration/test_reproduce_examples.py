"""The experiments of `examples/reproduce`: each gets its verdict on another path, with the folders of then hidden."""

import ast
import json
import os
import shutil
import socket
import subprocess
import threading
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from workbench import git

from naga import find_runs, load_run
from naga.compare.verify import verify

EXAMPLES = Path(__file__).parents[2] / "examples" / "reproduce"
NAMES = sorted(file.stem for file in EXAMPLES.glob("*.py"))
CODES = {"reproduced": 0, "differs": 1, "not restored": 2}
SECRET = "swordfish-of-gold"
OURS = {".git", ".reproduced", "__pycache__"}
NAGA = "import sys; from naga.cli import main; sys.exit(main())"

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="an installed package has no examples")


def known(name: str) -> str:
    """The verdict that the first line of an experiment says."""
    text = str(ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text())))
    return next(word for word in CODES if f": {word}" in text)


def _repository(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "Begin", cwd=folder)


def _install(packages: Path, name: str, **origin: Any) -> None:
    about = packages / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    if origin:
        (about / "direct_url.json").write_text(json.dumps(origin))


def _environment(folder: Path, tinypkg: Path) -> Path:
    """Make an environment that has all of this one's packages, another one, and a link to the sources of a third."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    own = Path(pytest.__file__).parents[1]
    (packages / "tests.pth").write_text(f"import site; site.addsitedir({str(own)!r})\n{tinypkg / 'src'}\n")
    _install(packages, "tinypkg", url=f"file://{tinypkg}", dir_info={"editable": True})
    _install(packages, "tinylib")
    (packages / "tinylib.py").write_text("VALUE = 7\n")
    return packages


def _answer(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"hello")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run all experiments; then move the project, change what is said to change, and take away what will be gone."""
    top = tmp_path_factory.mktemp("examples")
    then, python = top / "then", top / "environment" / "bin" / "python"
    _repository(then / "tinypkg", {"src/tinypkg/__init__.py": "VALUE = 5\n"})
    _repository(then / "library", {"sub.py": "VALUE = 6\n"})
    project = then / "project"
    shutil.copytree(EXAMPLES, project, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in {"raw.csv": "1\n", "scratch.txt": "2\n", "many/a.txt": "3", "many/b.txt": "4"}.items():
        (project / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "data" / name).write_text(text)
    _repository(project, {".gitignore": "results/\ndata/\n__pycache__/\n"})
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../library", "library", cwd=project)
    git("commit", "-qm", "Add the library", cwd=project)
    packages = _environment(top / "environment", then / "tinypkg")
    variables = {
        **os.environ,
        "API_KEY": "swordfish-of-gold",
        "NAGA_CACHE_DIR": str(top / "cache"),
        "NAGA_SNAPSHOT": "on",
    }

    def run(name: str) -> None:
        words = [f"port={server.getsockname()[1]}"] if name == "network" else []
        command = [str(python), f"{name}.py", *words]
        done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    with socket.create_server(("localhost", 0)) as server, ThreadPoolExecutor(2) as pool:
        threading.Thread(target=_answer, args=(server,), daemon=True).start()
        run("first_stage")
        list(pool.map(run, [name for name in NAMES if name != "first_stage"]))
    shutil.copytree(then, top / "now", symlinks=True)
    then.rename(top / "hidden")
    (top / "now/tinypkg/src/tinypkg/__init__.py").write_text("VALUE = 'edited'\n")
    (top / "now/project/parts/factor.py").write_text("FACTOR = 200\n")
    (top / "now/project/data/raw.csv").write_text("9\n")
    (packages / "tinylib.py").unlink()
    shutil.rmtree(packages / "tinylib-1.0.dist-info")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top / "now" / "project")
        yield top


def reproduce(moved: Path, name: str, *words: str) -> tuple[int, dict[str, Any]]:
    """Reproduce an experiment; give the exit code with what was printed."""
    command = [
        str(moved / "environment/bin/python"),
        "-c",
        NAGA,
        "reproduce",
        f"results/{name}",
        "--format",
        "json",
        *words,
    ]
    variables = {**os.environ, "API_KEY": SECRET, "OMP_NUM_THREADS": "7"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def state() -> dict[str, Any]:
    """Give what is the user's: the bytes of all files but those of reproductions, and the refs."""
    files = [file for file in Path().rglob("*") if file.is_file() and ".reproduced" not in file.parts]
    kept = {
        str(file): file.read_bytes() for file in files if file.parts[0] != ".git" and "__pycache__" not in file.parts
    }
    return {**kept, "refs": git("for-each-ref", cwd=Path())}


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_the_known_one(name: str, moved: Path) -> None:
    """Nothing of the user's is touched; a reproduction is a run that says what it reproduces."""
    verdict, before = known(name), state()
    code, said = reproduce(moved, name)
    assert (code, said["verdict"]) == (CODES[verdict], verdict), said
    assert state() == before
    assert not any("files." in line or "OMP_NUM_THREADS" in line for line in said["differences"])
    if verdict == "not restored":
        assert said["save_dir"] is None
        return
    made = load_run(said["save_dir"])
    assert made.record.reproduces == {"run_id": said["run_id"], "lock_hash": load_run(f"results/{name}").lock_hash}
    assert [line for line in verify(made) if line.startswith("outputs")] == []
    assert made.run_id not in [run.run_id for run in find_runs("results")]


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("changed_input", "data: raw = data/raw.csv has changed"),
        ("missing_package", "environment: tinylib 1.0 is not installed here"),
        ("network", "the reproduction is failed: ConnectionRefusedError"),
    ],
)
def test_what_is_to_blame_is_named(name: str, named: str, moved: Path) -> None:
    """In the words of the verdict, whatever else there is to say."""
    _, said = reproduce(moved, name)
    assert any(line.startswith(named) for line in said["not_restored"] + said["differences"]), said


def test_what_could_be_computed_again(moved: Path) -> None:
    """It is said of each without anything being run; the packages that are not here any more are one of the others."""
    command = [str(moved / "environment/bin/python"), "-c", NAGA, "verify", *(f"results/{name}" for name in NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "API_KEY": SECRET})
    said = {Path(line.split()[2]).name: line for line in done.stdout.splitlines() if line[:1] != " "}
    assert "cannot be computed again: data: raw = data/raw.csv has changed" in said.pop("changed_input")
    assert said.keys() == {*NAMES} - {"changed_input"}
    for line in said.values():
        assert "can be computed again, here with other versions of 1 package; --env recorded restores them" in line


def test_a_helper_of_today(moved: Path) -> None:
    """Today's code computes something else, and which file that is in."""
    code, said = reproduce(moved, "changed_helper", "--code", "current")
    assert (code, said["verdict"]) == (1, "differs")
    assert any(line.endswith("parts/factor.py: changed (+1 -3)") for line in said["differences"]), said


def test_noise_within_a_tolerance(moved: Path) -> None:
    """What differs by rounding alone."""
    code, said = reproduce(moved, "float_order", "--tolerance", "result.json=1e-9")
    assert (code, said["verdict"], said["outputs"][0]["verdict"]) == (0, "reproduced", "within tolerance")
    _, said = reproduce(moved, "float_order", "--repeat", "2")
    assert said["differences"][0] == "computed 2 times with different outputs: the program differs from itself"


@pytest.mark.parametrize(
    ("recorded", "other", "named"),
    [
        ("  cpu: ", "  cpu: Abacus 1 #", "environment: cpu: Abacus 1 -> "),
        ("  cpus: ", "  cpus: 999 #", "environment: cpus: 999 -> "),
        ("    numpy: ", '    numpy: "0.1" #', "environment: packages.numpy: 0.1 -> "),
        (
            "  variables:\n",
            "  variables:\n    LD_PRELOAD: /nowhere\n",
            "environment: variables.LD_PRELOAD: /nowhere -> None",
        ),
        ("  python: ", "  gpus:\n    - name: Abacus\n  python: ", "environment: gpus: ['Abacus'] -> None"),
    ],
)
def test_what_was_otherwise_is_named(recorded: str, other: str, named: str, moved: Path) -> None:
    """A processor, how many of them, a package, a variable of the machine, a graphics card: as `naga diff` has them."""
    lock = Path("results/time_dependent/run.lock")
    text = lock.read_text()
    has = recorded if recorded in text else "  files:\n"  # where nothing of the kind is recorded
    lock.write_text(text.replace(recorded, other, 1) if recorded in text else text.replace(has, other + has, 1))
    try:
        code, said = reproduce(moved, "time_dependent")
    finally:
        lock.write_text(text)
    assert code == 1
    assert any(line.startswith(named) for line in said["differences"]), said


def test_a_notebook(moved: Path) -> None:
    """It is run as its reader does; it is not restored, and that is said."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read("notebook.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": "."}}).execute()
    code, said = reproduce(moved, "notebook")
    assert (code, said["not_restored"]) == (2, ["it ran in a notebook"])
