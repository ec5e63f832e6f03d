"""Environments that are made again from what a run recorded: out of a folder of wheels, without a network."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from workbench import git

import naga
from naga import load_run

NEEDED = "omegaconf antlr4-python3-runtime PyYAML blake3 rich markdown-it-py mdurl Pygments pathspec typing_extensions"
SCRIPT = """
import sys
from pathlib import Path
import tinylib
from naga import clicfg, runlock, snapshot

@runlock
@snapshot
@clicfg
def main(cfg={"save_dir": "results/run"}):
    Path(cfg["save_dir"], "result.txt").write_text(f"{tinylib.VALUE} {'numpy' in sys.modules}")

if __name__ == "__main__":
    main()
"""
BACKEND = """
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "tinylib-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.write("tinylib.py")
        about = "tinylib-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: tinylib\\nVersion: 1.0\\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{about}/RECORD", f"tinylib.py,,\\n{about}/METADATA,,\\n{about}/WHEEL,,\\n{about}/RECORD,,\\n")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tinylib"
version = "1.0"
"""
UV = str(Path(sys.executable).with_name("uv"))


def write_wheel(folder: Path, name: str, version: str, text: str, requires: str = "") -> None:
    """Write a wheel of one module."""
    about = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", text)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")


def _again(name: str, folder: Path) -> None:
    """Write the wheel that an installed package came from."""
    package = importlib.metadata.distribution(name)
    tag = str(package.read_text("WHEEL")).partition("Tag: ")[2].split()[0]
    stem = f"{package.metadata['Name'].replace('-', '_')}-{package.version}"
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as wheel:
        for file in package.files or ():
            if (
                ".." not in file.parts
                and "__pycache__" not in file.parts
                and file.name not in ("INSTALLER", "REQUESTED")
            ):
                wheel.write(str(package.locate_file(file)), str(file))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels with all that Naga needs."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in NEEDED.split():
        _again(name, folder)
    return folder


@pytest.fixture
def project(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and an environment with what Naga needs and nothing else, which uv fills from the wheels alone."""
    wheels = tmp_path / "wheels"
    shutil.copytree(house, wheels)
    write_wheel(wheels, "tinylib", "1.0", "VALUE = 1\n", requires="other>=3")
    write_wheel(wheels, "tinylib", "2.0", "VALUE = 2\n")
    write_wheel(wheels, "other", "1.0", "")
    for name, value in {
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_CACHE_DIR": str(house / ".cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "exp.py").write_text(SCRIPT)
    (folder / ".gitignore").write_text("results/\n")
    git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "Begin", cwd=folder)
    monkeypatch.chdir(folder)
    uv("venv", "--quiet", "--python", sys.executable, str(tmp_path / "then"))
    uv("pip", "install", "--quiet", "--no-deps", "--python", str(tmp_path / "then/bin/python"), *NEEDED.split())
    packages = next((tmp_path / "then").glob("lib/python*/site-packages"))
    (packages / "naga.pth").write_text(str(Path(naga.__file__).parents[1]))
    (packages / f"naga_runs-{naga.__version__}.dist-info").mkdir()
    return folder


def uv(*words: str) -> None:
    """Run uv as a user would."""
    subprocess.run([UV, *words], check=True, capture_output=True)


def compute(project: Path, install: Sequence[str]) -> None:
    """Install something, and run the experiment."""
    python = str(project.parent / "then" / "bin" / "python")
    uv("pip", "install", "--quiet", "--no-deps", "--python", python, *install)
    subprocess.run([python, "exp.py"], check=True, capture_output=True)


def reproduce(*words: str) -> tuple[int, dict[str, Any]]:
    """Reproduce in the recorded environment; give the exit code with what was printed."""
    program = str(Path(sys.executable).with_name("naga"))
    command = [program, "reproduce", "results/run", "--env", "recorded", "--format", "json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_exact_versions(project: Path) -> None:
    """The version of then is had although there is a newer one; what did not fit together then is said."""
    compute(project, ["tinylib==1.0", "other==1.0"])
    code, said = reproduce()
    assert (code, said["verdict"]) == (0, "reproduced"), said
    assert any("requires `other>=3`" in line for line in said["differences"])
    assert [line for line in said["differences"] if "packages" in line] == []
    recorded, now = load_run("results/run").record.environment, load_run(said["save_dir"]).record.environment
    assert recorded
    assert now
    assert now.packages == recorded.packages


def test_all_that_is_withdrawn_is_named(project: Path) -> None:
    """Nothing is run, and nothing is left."""
    compute(project, ["tinylib==1.0", "other==1.0"])
    for wheel in (project.parent / "wheels").glob("*-1.0-*"):
        wheel.unlink()
    code, said = reproduce()
    assert (code, said["verdict"]) == (2, "not restored")
    assert [line[:27] for line in said["not_restored"]] == [
        "environment: other==1.0: ot",
        "environment: tinylib==1.0: ",
    ]
    assert not Path("results/.reproduced").exists()


def test_another_python(project: Path) -> None:
    """It is not fetched."""
    compute(project, ["tinylib==2.0"])
    lock = Path("results/run/run.lock")
    lock.write_text(lock.read_text().replace('python: "3', 'python: "3.0.99"  # "3', 1))
    code, said = reproduce()
    assert (code, said["not_restored"]) == (2, ["environment: Python 3.0.99 is not here"])


@pytest.fixture
def library(project: Path) -> Path:
    """The package's sources in a repository of their own, which need nothing to be built."""
    folder = project.parent / "library"
    folder.mkdir()
    for name, text in {"backend.py": BACKEND, "pyproject.toml": PYPROJECT, "tinylib.py": "VALUE = 3\n"}.items():
        (folder / name).write_text(text)
    git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "Begin", cwd=folder)
    return folder


def test_a_commit_is_built_where_that_is_allowed(project: Path, library: Path) -> None:
    """Wheels are all that is used otherwise: a build runs code."""
    compute(project, [f"tinylib @ git+file://{library}"])
    (library / "tinylib.py").write_text("VALUE = 4\n")
    git("commit", "-qam", "Go on", cwd=library)
    code, said = reproduce()
    assert (code, said["verdict"]) == (2, "not restored")
    assert "which has to be built (--build)" in said["not_restored"][0]
    code, said = reproduce("--build")
    assert (code, said["verdict"]) == (0, "reproduced"), said


@pytest.mark.parametrize("captured", [True, False])
def test_a_package_that_is_a_link(captured: bool, project: Path, library: Path) -> None:
    """Its sources are those of the snapshot; where none holds them, it is not fetched by its name."""
    packages = next((project.parent / "then").glob("lib/python*/site-packages"))
    (packages / "tinylib.pth").write_text(str(library))
    about = packages / "tinylib-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tinylib\nVersion: 1.0\n")
    (about / "direct_url.json").write_text(json.dumps({"url": f"file://{library}", "dir_info": {"editable": True}}))
    compute(project, ["other==1.0"])
    if not captured:
        lock = Path("results/run/run.lock")
        lock.write_text(lock.read_text().replace(f'"file://{library}"', '"file:///nowhere"'))
    (library / "tinylib.py").write_text("VALUE = 4\n")
    code, said = reproduce()
    if captured:
        assert (code, said["verdict"]) == (0, "reproduced"), said
    else:
        assert (code, said["verdict"]) == (2, "not restored")
        assert said["not_restored"] == [
            "environment: tinylib 1.0 was a link to '/nowhere', which is in no snapshot of the run"
        ]
    assert Path("results/.reproduced").exists() == captured
