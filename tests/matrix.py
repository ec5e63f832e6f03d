"""The versions that Naga supports, tried with each other: ``make matrix``.

Every Python that is found, the oldest and the newest OmegaConf and MLflow that can be had, in an environment of its own
each: the unit and property tests, the specification's example, and what former releases have left. A Python that is
supported and was not found is named.

``--short`` tries each Python once, the first with the oldest of both, the next with the newest, and so on: the smallest
MLflow, and the tests of what touches the two. What cannot be installed is named and is no failure there: a machine may
reach no package index, or one without a version.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OMEGACONFS = ("omegaconf==2.3.1", "omegaconf")
MLFLOWS = ("mlflow==3.13.0", "mlflow")
SMALL_MLFLOWS = ("mlflow-skinny==3.13.0", "mlflow-skinny")
BOTH = ("tests/integration/test_specification.py", "tests/compat")
TESTS = ("tests/unit", "tests/property", *BOTH)
SHORT_TESTS = ("tests/unit/config", "tests/unit/tracking", *BOTH)
NEEDED = (
    "pytest",
    "pytest-xdist",
    "pytest-timeout",
    "hypothesis",
    "sybil",
    "numpy",
    "pydantic",
    "attrs",
    "cloudpickle",
)
FURTHER = ("scikit-learn", "pandas", "matplotlib", "fsspec[http]", "cosmic-ray", "rocrate", "argcomplete")
PIP = ("-m", "pip", "-qq", "--disable-pip-version-check")
PLAIN = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

Corner = tuple[str, str, str]


def main() -> int:
    """Try what is asked for; 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="each Python once, in about three minutes")
    short = parser.parse_args().short
    if not reaches_an_index():
        print("matrix: pip reaches no package index from here, so no other versions are tried")
        return 0 if short else 1
    found = {version: python for version in PYTHONS if (python := find(version))}
    corners = once_each(list(found)) if short else list(itertools.product(found, OMEGACONFS, MLFLOWS))
    further, tests = ((), SHORT_TESTS) if short else (FURTHER, TESTS)
    with ThreadPoolExecutor(2) as pool:  # an installation mostly waits
        made = list(pool.map(lambda corner: install(found[corner[0]], corner, further), corners))
    outcomes = [attempt(corner, tests) if well else "not installed" for corner, well in zip(corners, made, strict=True)]
    for corner, outcome in zip(corners, outcomes, strict=True):
        print(f"{outcome}  {called(corner)}")
    print(*(f"not here  Python {version}" for version in PYTHONS if version not in found), sep="\n")
    return 0 if set(outcomes) <= {"passed", *(["not installed"] if short else [])} else 1


def reaches_an_index() -> bool:
    """Have pip fetch a small file, as it would fetch the others."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-deps", "--no-cache-dir", "--retries", "1", "--timeout", "20", "--dest", folder]
        words = [sys.executable, *PIP, "download", *options, OMEGACONFS[0]]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


def find(version: str) -> str | None:
    """Find an interpreter: this one, by its name, or among those of pyenv."""
    here = [sys.executable] if version == f"{sys.version_info.major}.{sys.version_info.minor}" else []
    named = [path] if (path := shutil.which(f"python{version}")) else []  # perhaps pyenv's, not switched on
    kept = map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True))
    works = (
        python
        for python in [*here, *named, *kept]
        if not subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode
    )
    return next(works, None)


def once_each(versions: list[str]) -> list[Corner]:
    """Give each Python the oldest or the newest of both, in turn; one that is alone gets both."""
    pairs = list(zip(OMEGACONFS, SMALL_MLFLOWS, strict=True))
    turns = versions * 2 if len(versions) == 1 else versions
    return [(version, *pairs[turn % 2]) for turn, version in enumerate(turns)]


def own_python(corner: Corner) -> str:
    """Say where the interpreter of a corner's environment is."""
    return str(TOP / ".venv" / "matrix" / "-".join(corner).replace("==", "") / "bin" / "python")


def install(python: str, corner: Corner, further: tuple[str, ...]) -> bool:
    """Make the environment of a corner; say why where that cannot be."""
    own = own_python(corner)
    wanted = [*NEEDED, *further, *corner[1:], "--editable", f"{TOP}[mlflow]"]
    for words in ([python, "-m", "venv", "--clear", str(Path(own).parents[1])], [own, *PIP, "install", *wanted]):
        done = subprocess.run(words, cwd=TOP, env=PLAIN, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"not installed  Python {' '.join(corner)}: {(done.stderr or done.stdout).strip()}", flush=True)
            return False
    return True


def attempt(corner: Corner, tests: tuple[str, ...]) -> str:
    """Run the tests in the environment of a corner."""
    print(f"\n{called(corner)} ...", flush=True)
    words = [own_python(corner), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests]
    return "FAILED" if subprocess.run(words, cwd=TOP, env=PLAIN, check=False).returncode else "passed"


def called(corner: Corner) -> str:
    """Name the versions of a corner: those that are installed, or else those that were asked for."""
    script = "import sys; from importlib.metadata import version; print(*(f'{n}=={version(n)}' for n in sys.argv[1:]))"
    names = [wanted.partition("==")[0] for wanted in corner[1:]]
    words = [own_python(corner), "-c", script, *names]
    try:
        done = subprocess.run(words, env=PLAIN, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # it could not even be made
        return f"Python {' '.join(corner)}"
    return f"Python {corner[0]} {done.stdout.strip() or ' '.join(corner[1:])}"


if __name__ == "__main__":
    sys.exit(main())
