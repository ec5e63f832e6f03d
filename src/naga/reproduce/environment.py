"""A Python environment with the packages that a run recorded, made by uv."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from naga.errors import NagaError
from naga.record.schema import Environment

_OWN = "naga-runs"  # what runs is this Naga: an older one cannot reproduce


def make_environment(environment: Environment, folder: Path) -> tuple[str, list[str]]:
    """Make an environment; give its interpreter, and what could not be restored, each with its reason."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        raise NagaError("--env recorded needs uv", hint="pip install 'naga-runs[reproduce]'")
    elsewhere = {name: origin.url for name, origin in environment.origins.items() if name != _OWN}
    # Fetched by name they might be another's.
    lacking = [f"environment: {name} came from {url}, not from an index" for name, url in elsewhere.items()]
    made = _ran([uv, "venv", "--quiet", "--python", environment.python, "--no-python-downloads", str(folder)])
    if made:
        return "", [f"environment: Python {environment.python} is not here"]
    python = str(folder / "bin" / "python")
    wanted = [f"{name}=={version}" for name, version in environment.packages.items() if name not in {_OWN, *elsewhere}]
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--python", python]
    if said := _ran([*install, *wanted]):
        named = [word for word in wanted if re.search(rf"\b{re.escape(word.partition('==')[0])}\b", said)]
        lacking.append(f"environment: {', '.join(named) or 'packages'}: {said.strip().splitlines()[-1].strip()}")
    return python, lacking


def _ran(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stderr or done.stdout or "it failed") if done.returncode else ""
