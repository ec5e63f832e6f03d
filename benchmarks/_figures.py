"""The figures of a release: what was measured of it, for the page that draws the releases side by side."""

import datetime
import json
import platform
from pathlib import Path

import naga

FOLDER = Path(__file__).parent / "releases"
_found: dict[str, dict[str, float | str]] = {}


def found(name: str, value: float, unit: str, budget: float | None = None) -> None:
    """Remember a figure; smaller is better, unless its unit says so."""
    _found[name] = {"value": float(f"{value:.3g}"), "unit": unit}
    if budget is not None:
        _found[name]["budget"] = budget


def save() -> Path:
    """Lay the figures over those of this release, which earlier runs of other benchmarks have left."""
    file = FOLDER / f"{naga.__version__.partition('.dev')[0]}.json"
    known = json.loads(file.read_text())["figures"] if file.exists() else {}
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    about = {"measured": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}", "machine": machine}
    file.write_text(json.dumps(about | {"figures": known | _found}, indent=2) + "\n")
    return file
