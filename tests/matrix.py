"""The versions that Naga supports, tried with each other: ``make matrix``.

Every Python that is found, the oldest and the newest OmegaConf and MLflow: in an environment of its own each, the unit
and property tests, the specification's example, and what former releases have left. ``--short`` tries the corner that
is furthest from the one that ``make test`` uses. A Python that is supported and was not found is named.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OMEGACONFS = ("omegaconf==2.3.1", "omegaconf")
MLFLOWS = ("mlflow==3.13.0", "mlflow")
TESTS = ("tests/unit", "tests/property", "tests/integration/test_specification.py", "tests/compat")
NEEDED = ("pytest", "pytest-xdist", "pytest-timeout", "hypothesis", "sybil", "scikit-learn", "pandas", "matplotlib")
FURTHER = ("pydantic", "attrs", "cloudpickle", "fsspec[http]", "cosmic-ray", "rocrate", "argcomplete")


def main() -> int:
    """Try what is asked for; 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one corner instead of all")
    short = parser.parse_args().short
    found = {version: python for version in PYTHONS if (python := find(version))}
    corners = list(itertools.product(found, OMEGACONFS, MLFLOWS))
    if short:
        corners = [(max(found, key=PYTHONS.index), OMEGACONFS[0], MLFLOWS[0])]
    outcomes = {corner: attempt(found[corner[0]], corner) for corner in corners}
    for corner, passed in outcomes.items():
        print(f"{'passed' if passed else 'FAILED'}  Python {' '.join(corner)}")
    for version in PYTHONS:
        if version not in found:
            print(f"not here  Python {version}")
    return 0 if all(outcomes.values()) else 1


def find(version: str) -> str | None:
    """Find an interpreter by its name, or among those of pyenv."""
    named = shutil.which(f"python{version}")  # which may be pyenv's word for one that is not switched on
    kept = map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True))
    words = ["-c", "import ensurepip"]
    tried = [
        python
        for python in ([named] if named else []) + [*kept]
        if not subprocess.run([python, *words], capture_output=True, check=False).returncode
    ]
    return tried[0] if tried else None


def attempt(python: str, corner: tuple[str, str, str]) -> bool:
    """Make the environment of a corner, and run the tests in it."""
    folder = TOP / ".venv" / "matrix" / "-".join(corner).replace("==", "")
    own = folder / "bin" / "python"
    commands = [[python, "-m", "venv", "--clear", str(folder)]]
    commands += [[str(own), "-m", "pip", "install", "-qq", *NEEDED, *FURTHER, *corner[1:], "-e", f"{TOP}[mlflow]"]]
    commands += [[str(own), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *TESTS]]
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    print(f"Python {' '.join(corner)} ...", flush=True)
    return all(subprocess.run(words, cwd=TOP, env=plain, check=False).returncode == 0 for words in commands)


if __name__ == "__main__":
    sys.exit(main())
