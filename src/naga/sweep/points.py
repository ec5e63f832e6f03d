"""The points of a sweep: what was listed, multiplied out, each with its configuration's digest and its folder."""

import csv
import itertools
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

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
        rows: Any = _rows_of_csv(file, text) if file.suffix == ".csv" else yaml_text.load(text)
    except (OSError, ValueError, LockError) as error:
        problem = getattr(error, "strerror", None) or error
        raise UsageError(f"--sweep-file {file}: {problem}", hint="--sweep-file points.yaml") from None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) and row for row in rows):
        raise UsageError(f"--sweep-file {file}: not a list of points", hint="- {lr: 0.1, seed: 1}")
    for row in rows:
        yield tuple(f"{key}={value if file.suffix == '.csv' else as_typed(value)}" for key, value in row.items())


def _rows_of_csv(file: Path, text: str) -> list[dict[str, str]]:
    """Read rows by their heading; a value that no key, or a second one, would claim is refused."""
    reader = csv.DictReader(text.splitlines())
    keys, rows = list(reader.fieldnames or ()), []
    if again := next((key for key in keys if keys.count(key) > 1), None):
        raise UsageError(f"--sweep-file {file}: the key {again!r} stands twice in the heading", hint="lr,seed")
    for row in reader:
        if None in row or None in row.values():
            where = f"--sweep-file {file}, line {reader.line_num}"
            raise UsageError(f"{where}: more or fewer values than the heading has keys", hint='"a,b" is one value')
        rows.append(row)
    return rows


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
    """Compose every point, and give it a folder; an error in any of them is reported before one starts.

    Raises
    ------
    UsageError
        Two points are the same.
    ConfigError
        A key, or a value of a point, is wrong, or an input is not there.
    """
    naming = _Naming.of(declared, listing, overrides, files)
    composed = variations(declared, listing, keywords=naming.words, overrides=naming.overrides, files=files)
    for config in composed if tracked else ():
        require_inputs(config.plain, tracked, Path.cwd())
    is_shared = len({config.save_dir for config in composed}) < len(composed)
    digests = [config_digest(config.plain, before) for config in composed]
    points = []
    for typed, config, digest, label in zip(
        listing, composed, digests, _labels(listing, composed, digests), strict=True
    ):
        written = naming.written(config, label, is_shared=is_shared)
        folder = Path(os.path.abspath(written))  # noqa: PTH100  # links stay
        points.append(Point(overrides=typed, label=label, digest=digest, written=written, save_dir=folder))
    _refuse_equal(points)
    template = naming.template.rstrip("/") if is_shared and "${" not in naming.template else ""
    return Sweep(
        points=tuple(points),
        root=Path(os.path.abspath(template or _above(points))),  # noqa: PTH100
        example=composed[0].plain,
        overrides=naming.overrides,
        files=tuple(files),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Naming:
    """How the folders of points are named: by ``save_dir`` as written, where no point sets its own.

    From the first ``${now}`` on, the label of a point takes the place of what is written (``is_cut``), so that the same
    command means the same folders.
    """

    overrides: tuple[str, ...]  # what all points have in common, save_dir left out where ``words`` has it
    words: Mapping[str, str]
    template: str
    is_cut: bool

    @classmethod
    def of(
        cls,
        declared: Declared,
        listing: Sequence[tuple[str, ...]],
        overrides: Sequence[str],
        files: Sequence[tuple[Path, str | None]],
    ) -> Self:
        """Read how save_dir is written."""
        if any(text.partition("=")[0] == "save_dir" for point in listing for text in point):
            return cls(overrides=tuple(overrides), words={}, template="", is_cut=False)
        text = written_save_dir(declared, overrides=[*overrides, *listing[0]], files=files)
        template, time, _ = text.partition(_TIME)
        return cls(
            overrides=tuple(word for word in overrides if word.partition("=")[0] != "save_dir"),
            words={"save_dir": f"{template}_" if time else template},
            template=template,
            is_cut=bool(time),
        )

    def written(self, config: Resolved, label: str, *, is_shared: bool) -> str:
        """Write the folder of a point; ``is_shared`` says that several would have the same."""
        text = str(config.written_save_dir)
        if self.is_cut:
            return f"{text[:-1]}{label}"
        return os.path.join(text, label) if is_shared else text  # noqa: PTH118  # as the user wrote the rest


def _above(points: Sequence[Point]) -> Path:
    """Return the folder that all points are in."""
    folders = [point.save_dir for point in points]
    return Path(os.path.commonpath(folders)) if len(folders) > 1 else folders[0].parent


def _labels(listing: Sequence[Sequence[str]], composed: Sequence[Resolved], digests: Sequence[str]) -> list[str]:
    """Label the points; of those that no name of a folder tells apart (``a/b``, ``a_b``), the digests do."""
    points = enumerate(zip(listing, composed, digests, strict=True), 1)
    labels = [_label(typed, config, digest, number) for number, (typed, config, digest) in points]
    often = Counter(labels)
    return [
        f"{label}~{digest[:8]}" if often[label] > 1 else label for label, digest in zip(labels, digests, strict=True)
    ]


def _label(typed: Sequence[str], config: Resolved, digest: str, number: int) -> str:
    """Label a point by what varies: ``lr=0.1,seed=0``; a secret is replaced by the number of its point."""
    shown = redact_config(config.plain)
    words = []
    for key in (text.partition("=")[0] for text in typed):
        value = value_at(config.plain, key)
        is_secret = str(value_at(shown, key)) != str(value)  # not-a-number differs from itself
        words.append(f"{key}={number if is_secret else value if isinstance(value, str) else as_typed(value)}")
    name = re.sub(r"[/\x00-\x1f\x7f]", "_", ",".join(words).replace('"', "").replace(" ", ""))
    if len(os.fsencode(name)) > _LONGEST:
        name = os.fsencode(name)[:_LONGEST].decode(errors="ignore") + f"~{digest[:8]}"
    return name


def _refuse_equal(points: Sequence[Point]) -> None:
    known: dict[str, Point] = {}
    for point in points:
        other = known.setdefault(point.digest, point)
        if other is not point:
            raise UsageError(
                f"two points have the same configuration: {' '.join(other.overrides)} and {' '.join(point.overrides)}",
                hint="list each value once",
            )
