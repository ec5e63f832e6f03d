"""A Python environment with the packages that a run recorded, made by uv."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import naga
from naga.errors import NagaError
from naga.paths import relocated
from naga.record.schema import Environment, Origin
from naga.reproduce.restore import NotRestoredError

_OWN = "naga-runs"  # what runs is this Naga: an older one cannot reproduce


def make_environment(
    environment: Environment, folder: Path, repositories: Mapping[str, str], own: Path, *, build: bool
) -> tuple[str, list[str]]:
    """Make an environment; return its interpreter, and its conflicts.

    ``repositories`` are those of the run, by where they were; ``own`` is the folder that this Naga is imported from.
    """
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        raise NagaError("--env recorded needs uv", hint="pip install 'naga-runs[reproduce]'")
    version = environment.python
    if _ran([uv, "venv", "--quiet", "--python", version, "--no-python-downloads", str(folder)]):
        raise NotRestoredError(f"environment: Python {version} is not here")
    python = str(folder / "bin" / "python")
    wanted, linked, lacking = _sorted_out(environment, repositories, build=build)
    only = () if build else ("--only-binary", ":all:")
    lacking += _installed([uv, "pip", "install", "--quiet", "--no-deps", *only, "--python", python], wanted)
    if lacking:
        raise NotRestoredError(lacking[0], reasons=lacking)
    _link(folder, {_OWN: (naga.__version__, own)} | linked)
    said = _ran([uv, "pip", "check", "--python", python])
    return python, [f"environment: {line}" for line in said.splitlines() if line.startswith("The package")]


def not_restorable(environment: Environment, repositories: Iterable[str]) -> set[str]:
    """Name the packages that cannot be installed again, without asking an index for the others."""
    wanted, linked, _ = _sorted_out(environment, dict.fromkeys(repositories, "/laid-out"), build=True)
    return environment.packages.keys() - wanted.keys() - linked.keys() - {_OWN}


def _sorted_out(
    environment: Environment, repositories: Mapping[str, str], *, build: bool
) -> tuple[dict[str, str], dict[str, tuple[str, Path]], list[str]]:
    """Sort the packages: from an index or git, linked from the run's own code, and not available."""
    wanted: dict[str, str] = {}
    linked: dict[str, tuple[str, Path]] = {}
    lacking: list[str] = []
    for name, version in environment.packages.items():
        origin = environment.origins.get(name)
        if name == _OWN:
            continue
        if origin is None:
            wanted[name] = f"{name}=={version}"
            continue
        was = unquote(urlsplit(origin.url).path)
        place = Path(relocated(was, repositories))
        if origin.editable and str(place) != was:
            linked[name] = version, place / "src" if (place / "src").is_dir() else place
        elif build and origin.commit and not origin.editable and "redacted" not in origin.url:
            wanted[name] = f"{name} @ git+{origin.url}@{origin.commit}"
        else:
            lacking.append(f"environment: {name} {version} {_why_lacking(origin)}")
    return wanted, linked, lacking


def _why_lacking(origin: Origin) -> str:
    if origin.editable:
        return f"was a link to '{unquote(urlsplit(origin.url).path)}', which is in no snapshot of the run"
    if origin.commit:
        return f"is commit {origin.commit[:12]} of {origin.url}, which has to be built (--build)"
    return f"came from {origin.url}, not from an index"  # fetched by name it might be another's


def _installed(install: list[str], wanted: dict[str, str]) -> list[str]:
    """Install packages; return those that cannot be installed, each with uv's message, which names one at a time."""
    lacking: list[str] = []
    while wanted and (said := _ran([*install, *wanted.values()])):
        _, _, cause = " ".join(said.split()).rpartition(" cause: ")
        reason = re.split(r",? and you require|, we can conclude", cause.removeprefix("Because "))[0][:300]
        named = next((name for name in wanted if re.search(_pattern(name), cause, re.IGNORECASE)), None)
        if named is None:
            return [*lacking, f"environment: {reason}"]
        lacking.append(f"environment: {wanted.pop(named)}: {reason}")
    return lacking


def _pattern(name: str) -> str:
    """Return a pattern for a package's name in any spelling: ``ruamel.yaml`` is ``ruamel-yaml``."""
    return rf"(?<![\w.-]){'[-_.]+'.join(map(re.escape, re.split('[-_.]+', name)))}(?![-_.]*\w)"


def _link(folder: Path, linked: Mapping[str, tuple[str, Path]]) -> None:
    """Make packages importable from where they are, with their versions, without building anything."""
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "naga-reproduce.pth").write_text("".join(f"{place}\n" for _, place in linked.values()), "utf-8")
    for name, (version, _) in linked.items():
        about = packages / f"{name.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
        (about / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "utf-8")


def _ran(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stderr or done.stdout or "it failed") if done.returncode else ""
