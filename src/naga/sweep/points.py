"""The points of a sweep: what was listed, multiplied out, each with its configuration's digest and its folder."""

import csv
import itertools
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from naga.capture.data.inputs import require_inputs
from naga.config.compose import Resolved, written_save_dir
from naga.config.declared import Declared
from naga.config.plain import value_at
from naga.config.upgrade import config_digest
from naga.declarations import Tracked
from naga.errors import LockError, UsageError
from naga.frozen import dataclass
from naga.record import yaml_text
from naga.secrets import redact_config
from naga.sweep.grammar import values_of
from naga.sweep.variations import variations

_LONGEST = 180  # bytes of a folder's name: file systems take 255, and archives add to it
_TIME = "${now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One configuration of a sweep: its overrides, its label, its configuration and its folder."""

    overrides: tuple[str, ...]
    label: str
    digest: str
    written: str  # save_dir, as the run.lock has it
    save_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """All points of one command; ``overrides`` and ``files`` are what they have in common.

    ``example`` is the configuration of the first.
    """

    points: tuple[Point, ...]
    root: Path
    example: Mapping[Any, Any]
    overrides: tuple[str, ...] = ()
    files: tuple[tuple[Path, str | None], ...] = ()


def listed(words: Sequence[str], file: Path | None) -> list[tuple[str, ...]]:
    """Combine all values that the command line lists, with the points of a file before them."""
    named = [values_of(word) for word in words]
    keys = [key for key, _ in named]
    if again := next((key for key in keys if keys.count(key) > 1), None):
        raise UsageError(f"--sweep: {again} is listed twice", hint=f"--sweep {again}=... once, with all its values")
    axes = [[f"{key}={value}" for value in values] for key, values in named]
    of_file = list(_read_points(file)) if file else [()]
    return [(*point, *typed) for point in of_file for typed in itertools.product(*axes)]


def _read_points(file: Path) -> Iterator[tuple[str, ...]]:
    """Read a list of points: from YAML, a list of mappings; or from CSV, a heading of keys and a row each."""
    try:
        text = file.read_text(encoding="utf-8")
        rows: Any = list(csv.DictReader(text.splitlines())) if file.suffix == ".csv" else yaml_text.load(text)
    except (OSError, ValueError, LockError) as error:
        raise UsageError(f"--sweep-file {file}: {error}", hint="--sweep-file points.yaml") from None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) and row for row in rows):
        raise UsageError(f"--sweep-file {file}: not a list of points", hint="- {lr: 0.1, seed: 1}")
    for row in rows:
        if None in row or None in row.values():
            raise UsageError(f"--sweep-file {file}: a row has more or fewer values than the heading has keys")
        yield tuple(f"{key}={value if file.suffix == '.csv' else as_typed(value)}" for key, value in row.items())


def as_typed(value: Any) -> str:
    """Write a value as it is typed behind ``key=``.

    Examples
    --------
    >>> as_typed("a,b"), as_typed([1, None]), as_typed(1e-5), as_typed(True)
    ('"a,b"', '[1, null]', '1e-05', 'true')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return json.dumps(value, default=str, ensure_ascii=False)


def planned(
    declared: Declared,
    listing: Sequence[tuple[str, ...]],
    *,
    overrides: Sequence[str],
    files: Sequence[tuple[Path, str | None]],
    before: Mapping[str, Any],
    tracked: Sequence[Tracked] = (),
) -> Sweep:
    """Compose every point, and return it a folder; an error in any of them is reported before one starts.

    Raises
    ------
    UsageError
        Two points are the same, or would have the same folder.
    ConfigError
        A key, or a value of a point, is wrong, or an input is not there.
    """
    swept = {text.partition("=")[0] for point in listing for text in point}
    template, is_cut = "", False
    if "save_dir" not in swept:
        text = written_save_dir(declared, overrides=[*overrides, *listing[0]], files=files)
        is_cut = _TIME in text
        template = text.partition(_TIME)[0]
        overrides = [word for word in overrides if word.partition("=")[0] != "save_dir"]
    words = {"save_dir": f"{template}_" if is_cut else template} if "save_dir" not in swept else {}
    composed = variations(declared, listing, keywords=words, overrides=overrides, files=files)
    for config in composed if tracked else ():
        require_inputs(config.plain, tracked, Path.cwd())
    is_shared = len({config.save_dir for config in composed}) < len(composed)
    points = []
    for number, (typed, config) in enumerate(zip(listing, composed, strict=True), 1):
        digest = config_digest(config.plain, before)
        label = _label(typed, config, digest, number)
        written = str(config.written_save_dir)
        if is_cut:
            written = f"{written[:-1]}{label}"
        elif is_shared:
            written = os.path.join(written, label)  # noqa: PTH118  # as the user wrote the rest
        folder = Path(os.path.abspath(written))  # noqa: PTH100  # links stay
        points.append(Point(overrides=typed, label=label, digest=digest, written=written, save_dir=folder))
    _refuse_equal(points)
    root = Path(template.rstrip("/") if is_shared and template and "${" not in template else _above(points))
    return Sweep(
        points=tuple(points),
        root=Path(os.path.abspath(root)),  # noqa: PTH100
        example=composed[0].plain,
        overrides=tuple(overrides),
        files=tuple(files),
    )


def _above(points: Sequence[Point]) -> Path:
    """Return the folder that all points are in."""
    folders = [point.save_dir for point in points]
    return Path(os.path.commonpath(folders)) if len(folders) > 1 else folders[0].parent


def _label(typed: Sequence[str], config: Resolved, digest: str, number: int) -> str:
    """Label a point by what varies: ``lr=0.1,seed=0``; a secret is replaced by the number of its point."""
    shown = redact_config(config.plain)
    words = []
    for key in (text.partition("=")[0] for text in typed):
        value = value_at(config.plain, key)
        is_secret = value_at(shown, key) != value
        words.append(f"{key}={number if is_secret else value if isinstance(value, str) else as_typed(value)}")
    name = re.sub(r"[/\x00-\x1f\x7f]", "_", ",".join(words).replace('"', "").replace(" ", ""))
    if len(os.fsencode(name)) > _LONGEST:
        name = os.fsencode(name)[:_LONGEST].decode(errors="ignore") + f"~{digest[:8]}"
    return name


def _refuse_equal(points: Sequence[Point]) -> None:
    for what in ("digest", "save_dir"):
        known: dict[Any, Point] = {}
        for point in points:
            other = known.setdefault(getattr(point, what), point)
            if other is not point:
                same = "the same configuration" if what == "digest" else f"the same folder '{point.written}'"
                raise UsageError(
                    f"two points have {same}: {' '.join(other.overrides)} and {' '.join(point.overrides)}",
                    hint="list each value once",
                )
