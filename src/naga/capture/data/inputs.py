"""Tracked inputs: the hashes of the data at the paths that the keys of ``@track_data`` hold."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from naga.capture.data.locations import Place, find_place, place_of, plain_value
from naga.capture.data.manifest import add_inputs, write_inputs
from naga.capture.data.outputs import list_outputs
from naga.declarations import Tracked
from naga.errors import DataError
from naga.frozen import dataclass
from naga.hashing.format import HashedFile, Tree, combine
from naga.hashing.hash_tree import hash_listed, list_path
from naga.layout import INPUTS_LIST
from naga.record.opener import make_inside
from naga.record.schema import Data, Upstream
from naga.secrets import redact_text
from naga.wording import first_of

Config = Mapping[Any, Any]
T = TypeVar("T")
Hash = Callable[[], Tree]  # reads what was listed before


@dataclass(frozen=True, slots=True)
class _Reading:
    """How to read an input: what to leave out, whether to trust the cache and the server, and runs as their outputs."""

    ignore: tuple[str, ...]
    fresh: bool
    whole: bool
    as_outputs: bool = True

    @classmethod
    def of(cls, declared: Tracked) -> "_Reading":
        return cls(declared.ignore, declared.fresh, declared.fresh)


def tracked_paths(config: Config, tracked: Sequence[Tracked], base: Path) -> tuple[Path, ...]:
    """List the absolute local paths of all inputs, whether or not anything is there.

    Examples
    --------
    >>> [str(path) for path in tracked_paths({"train": "data/a.csv"}, [Tracked(keys=("train",))], Path("/home/me"))]
    ['/home/me/data/a.csv']
    """
    places = _places(config, tracked, base)
    return tuple(dict.fromkeys(path for _, place in places.values() for path in place.paths()))


def require_inputs(config: Config, tracked: Sequence[Tracked], base: Path) -> None:
    """Refuse where a local input is missing, before anything is written; nothing is read."""
    for key, (_, place) in _places(config, tracked, base).items():
        place.require(key)


def capture_data(
    config: Config,
    tracked: Sequence[Tracked],
    base: Path,
    *,
    manifest_dir: Path | None,
    upstream: Sequence[Upstream] = (),
    may_write: Callable[[], bool] = lambda: True,
) -> dict[str, Data]:
    """Hash all inputs but those that are to be hashed in the background."""
    hashes = _prepare([each for each in tracked if not each.background], config, base, upstream)
    trees = {key: hash_() for key, hash_ in hashes.items()}
    ignored = _ignored(tracked)
    data = {key: _data(plain_value(config, key, base), tree, ignored[key]) for key, tree in trees.items()}
    if manifest_dir is not None and tracked and may_write():  # the hash may have taken hours
        write_inputs(make_inside(manifest_dir.parent, manifest_dir) / INPUTS_LIST, _entries(data, trees))
    return data


def capture_beside(
    config: Config,
    tracked: Sequence[Tracked],
    base: Path,
    *,
    manifest_dir: Path | None,
    upstream: Sequence[Upstream] = (),
    may_write: Callable[[], bool] = lambda: True,
) -> "Beside":
    """Start to hash the inputs that are to be hashed in the background; as `capture_data`, which comes before."""
    hashes = _prepare([each for each in tracked if each.background], config, base, upstream)
    reason = "it was to be hashed while the run was running, and the run did not get that far"
    ignored = _ignored(tracked)
    pending = {
        key: Data(path=plain_value(config, key, base), kind="unknown", ignore=ignored[key], reason=reason)
        for key in hashes
    }
    return Beside(hashes, pending, manifest_dir, may_write)


def not_covered(data: Mapping[str, Data]) -> tuple[str, ...]:
    """Say of each input that was hashed what its hash does not cover."""
    return tuple(f"{key}: {each.reason}" for key, each in data.items() if each.hash and each.reason)


class Beside:
    """Inputs that are hashed in the background, in their state at the start of the function."""

    def __init__(
        self,
        hashes: Mapping[str, Hash],
        pending: Mapping[str, Data],
        manifest_dir: Path | None,
        may_write: Callable[[], bool],
    ) -> None:
        self.pending = dict(pending)
        self._hashes = hashes
        self._manifest_dir, self._may_write = manifest_dir, may_write
        self._trees: dict[str, Tree | BaseException] = {}
        # A daemon: after Ctrl-C no one waits for it.
        self._thread = threading.Thread(target=self._hash, name="naga-hash", daemon=True)
        if hashes:
            self._thread.start()

    def _hash(self) -> None:
        for key, hash_ in self._hashes.items():
            try:
                self._trees[key] = hash_()
            except BaseException as error:  # noqa: BLE001  # `join` raises it, or records it
                self._trees[key] = error

    def join(self) -> tuple[dict[str, Data], tuple[str, ...]]:
        """Wait for the hashes."""
        if self._thread.ident:
            self._thread.join()
        data, warnings, trees = {}, [], {}
        for key, tree in self._trees.items():
            if isinstance(tree, DataError):
                data[key] = replace(self.pending[key], reason=tree.message)
                warnings.append(tree.message)
            elif isinstance(tree, BaseException):
                raise tree
            else:
                data[key], trees[key] = _data(self.pending[key].path, tree, self.pending[key].ignore), tree
                if tree.changed:
                    warnings.append(_changed(key, data[key]))
                warnings += not_covered({key: data[key]})
        if self._manifest_dir is not None and trees and self._may_write():
            add_inputs(make_inside(self._manifest_dir.parent, self._manifest_dir) / INPUTS_LIST, _entries(data, trees))
        return data, tuple(warnings)


def changed_inputs(
    before: Mapping[str, Data],
    config: Config,
    tracked: Sequence[Tracked],
    base: Path,
    upstream: Sequence[Upstream] = (),
) -> tuple[str, ...]:
    """Hash all inputs again, and warn of each one that has changed."""
    warnings = []
    for declared in tracked:
        for key in declared.keys:
            if key in before and before[key].hash:
                try:
                    tree = _prepare([replace(declared, keys=(key,))], config, base, upstream)[key]()
                except DataError as error:
                    warnings.append(f"{error.message}; it could be read when the run began")
                else:
                    warnings += [_changed(key, before[key])] if tree.hash != before[key].hash else []
    return tuple(warnings)


def hash_again(key: str, data: Data, base: Path, upstream: Sequence[Upstream] = (), *, fresh: bool = True) -> Tree:
    """Hash an input again by its own rule, reading all of it or believing the cache.

    A remote one was read by what its server says of it, or else its content; a run among several paths by its outputs,
    or, by the first release, as a folder like any other.
    """
    place, runs = place_of(key, data.path, base), _folders(upstream, base)
    place.require(key)
    as_outputs = data.kind != "folder"
    readings = [_Reading(data.ignore, fresh=fresh, whole=False, as_outputs=as_outputs)]
    if place.inside and runs:
        readings.append(replace(readings[0], as_outputs=False))
    if place.is_remote():
        readings += [replace(reading, whole=True) for reading in readings]
    for reading in readings:
        tree = _hash_of(key, place, reading, runs)()
        if tree.hash == data.hash:
            break
    return _named_as(str(data.path), tree)


def _ignored(tracked: Sequence[Tracked]) -> dict[str, tuple[str, ...]]:
    return {key: declared.ignore for declared in tracked for key in declared.keys}


def _data(value: Any, tree: Tree, ignore: tuple[str, ...]) -> Data:
    reason = None
    if tree.leads_out:
        first = first_of(map(os.fsdecode, tree.leads_out), 3)
        reason = f"what these links lead to is outside, and was not hashed: {first}"
    return Data(
        path=value,
        kind=tree.kind,
        ignore=ignore,
        hash=tree.hash,
        size_bytes=tree.size_bytes,
        files=tree.files,
        source=tree.source,
        reason=reason,
    )


def _entries(data: Mapping[str, Data], trees: Mapping[str, Tree]) -> dict[str, Iterator[HashedFile]]:
    return {key: _named_as(str(data[key].path), tree).entries() for key, tree in trees.items()}


def _named_as(path: str, tree: Tree) -> Tree:
    """List an input that is a file under its name."""
    return tree.known_as(Path(redact_text(path)).name if tree.kind == "file" else "")


def _changed(key: str, data: Data) -> str:
    shown = repr(data.path)
    return f"{key}: {shown if len(shown) <= 80 else shown[:77] + '...'} changed while the run was running"


def _places(config: Config, tracked: Sequence[Tracked], base: Path) -> dict[str, tuple[Tracked, Place]]:
    keys = ((key, declared) for declared in tracked for key in declared.keys)
    found = ((key, declared, find_place(config, key, base)) for key, declared in keys)
    return {key: (declared, place) for key, declared, place in found if place}


def _prepare(tracked: Sequence[Tracked], config: Config, base: Path, upstream: Sequence[Upstream]) -> dict[str, Hash]:
    """Resolve every key first, so that a missing input is reported before any is read."""
    runs = _folders(upstream, base)
    places = _places(config, tracked, base)
    for key, (_, place) in places.items():
        place.require(key)
    return {key: _hash_of(key, place, _Reading.of(declared), runs) for key, (declared, place) in places.items()}


def _hash_of(key: str, place: Place, reading: _Reading, runs: Mapping[Path, str]) -> Hash:
    if place.kind == "path":
        return _hash_of_path(key, place.path, reading, runs)
    if place.kind == "url":
        from naga.capture.data.remote import hash_url

        return partial(_named, key, partial(hash_url, place.url, ignore=reading.ignore, fresh=reading.whole))
    inside = {name: _hash_of(f"{key}.{name}", inner, reading, runs) for name, inner in place.inside.items()}
    return lambda: combine(place.kind, {name: hash_() for name, hash_ in inside.items()})


def _hash_of_path(key: str, path: Path, reading: _Reading, runs: Mapping[Path, str]) -> Hash:
    # A recomputation with the same results is the same data, whatever its run.lock says.
    as_outputs = reading.as_outputs and path in runs
    list_ = partial(list_outputs if as_outputs else list_path, path, ignore=reading.ignore)
    listed = _named(key, list_)
    around = [folder for folder in runs if path.is_relative_to(folder)]

    def hash_() -> Tree:
        tree = _named(key, partial(hash_listed, listed, fresh=reading.fresh))
        tree = replace(tree, kind="run") if as_outputs else tree
        return tree.known_as("", runs[max(around)]) if around else tree

    return hash_


def _folders(upstream: Sequence[Upstream], base: Path) -> dict[Path, str]:
    return {base / run.save_dir: run.run_id for run in upstream}


def _named(key: str, act: Callable[[], T]) -> T:
    """Call a function, and put the key before the message of its error."""
    try:
        return act()
    except DataError as error:
        raise DataError(f"{key}: {error.message}", hint=error.hint or f"{key}=PATH") from None
