"""``naga export``: runs as one file for others, who can compute them again without the repository."""

import glob
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from naga.capture.code.checkout import lay_out
from naga.capture.code.git import GitError
from naga.capture.code.scratch import scratch
from naga.capture.data.outputs import hash_outputs
from naga.compare.lineage import base_of, find_upstream
from naga.crate.bundle import write_bundle
from naga.crate.machine import Machine
from naga.crate.zip_format import CRATE, CRATE_SCHEMA, MOST_RATIO, SMALL_BYTES, Names
from naga.errors import NagaError, SaveDirError, UsageError
from naga.frozen import dataclass
from naga.hashing.format import Tree
from naga.hashing.hash_tree import hash_path
from naga.layout import CONSOLE_LOG, DIAG, INPUTS_LIST, LOCK_NAME, OUTPUTS_LIST, OWN_FOLDER
from naga.process.signals import Signals
from naga.record.lockfile import lock_text
from naga.record.opener import MAX_LIST_BYTES, read_inside
from naga.record.schema import Code, Environment, Record
from naga.reproduce.restore import changed_inputs, lacks, repository_of, texts
from naga.runs.find import Run, load_run
from naga.runs.metrics import last_publication

_OF_STORE = ("tracking_uri", "experiment_id", "last_failure")
_CHUNK = 2**20


class Entry(NamedTuple):
    """A file of the zip: its name, and the source of its content; a name that ends with ``/`` is an empty folder."""

    name: str
    source: Path | bytes
    size: int
    hash: str = ""

    @classmethod
    def of(cls, name: str, text: str | bytes) -> "Entry":
        """Make an entry from its content."""
        data = text if isinstance(text, bytes) else text.encode()
        return cls(name, data, len(data))

    def chunks(self) -> Iterator[bytes]:
        """Read it."""
        if isinstance(self.source, bytes):
            yield self.source
            return
        with self.source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What goes into the zip on request."""

    data: bool = False
    history: bool = False
    machine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One run of the crate, without details of its machine; ``about`` is for the reader of the crate."""

    run: Run
    record: Record
    about: dict[str, Any]
    publication: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of its files in the crate."""
        return f"runs/{self.run.run_id}"


class Crate:
    """What is collected for a zip: runs, and files whose names every system can store."""

    def __init__(self, folder: Path, wishes: Wishes) -> None:
        self.folder, self.wishes = folder, wishes
        self.entries: list[Entry] = []
        self.left_out: list[str] = []
        self.parts: list[Part] = []
        self._names = Names()
        self._code: dict[tuple[str, str], str] = {}
        self._data: dict[Path, str] = {}

    def add(self, entry: Entry) -> bool:
        """Add a file; one whose name cannot stand in a zip is left out and noted."""
        if problem := self._names.problem(entry.name):
            self.left_out.append(f"{entry.name}: it {problem}")
        else:
            self.entries.append(entry)
        return not problem

    def add_run(self, run: Run, *, asked: bool = True) -> None:
        """Add a whole run and, if data are wanted, the runs that it was made from."""
        for part in self.parts:
            if part.run.run_id == run.run_id:
                part.about["asked"] |= asked
                return
        outputs = _whole(run, data=self.wishes.data)
        machine = Machine(run.record)
        record, changed = machine.without()
        about: dict[str, Any] = {"run_id": run.run_id, "lock_hash": run.lock_hash, "asked": asked, "changed": changed}
        said = machine.plain(last_publication(run.save_dir))
        is_published = said.get("published") is not None  # else a diag has failed, and nothing was published
        publication = {key: item for key, item in said.items() if key not in _OF_STORE and is_published}
        part = Part(run=run, record=record, about=about, publication=publication)
        self.parts.append(part)
        self.add(Entry.of(f"{part.folder}/", b""))
        self.add(Entry.of(f"{part.folder}/{LOCK_NAME}", lock_text(record)))
        about["missing"] = self._add_tree(outputs, run.save_dir, part.folder)
        self._add_own(part)
        about["code"] = [self._add_code(run, index) for index in range(len(run.record.code))]
        about["data"] = dict(self._add_data(run, machine)) if self.wishes.data else {}

    def _add_tree(self, tree: Tree, place: Path, name: str) -> list[str]:
        """Add what a tree lists; return the paths that no zip holds."""
        missing = []
        for one in tree.entries():
            whole = f"{name}/{one.path}" if one.path else name
            entry = Entry(whole, place / one.path if one.path else place, one.size_bytes, one.hash)
            if one.kind == "link":
                self.left_out.append(f"{whole}: it is a link")
                missing.append(one.path)
            elif not self.add(Entry.of(f"{whole}/", b"") if one.kind == "folder" else entry):
                missing.append(one.path)
        return missing

    def _add_own(self, part: Part) -> None:
        """Add the lists of a run, its published metrics, and its packages."""
        run, own = part.run, f"{part.folder}/{OWN_FOLDER}"
        for name in (OUTPUTS_LIST, INPUTS_LIST):
            if (file := run.save_dir / OWN_FOLDER / name).is_file():
                self.add(Entry.of(f"{own}/{name}", read_inside(run.save_dir, file, MAX_LIST_BYTES)))
        if part.publication:
            self.add(Entry.of(f"{own}/metrics.json", json.dumps(part.publication, indent=1)))
            figures = run.save_dir / DIAG / str(part.publication.get("generation"))
            if figures.is_dir():
                self.add(Entry.of(f"{own}/{DIAG}/{figures.name}", b""))  # the mark of a folder that is no output
                self._add_tree(hash_path(figures), figures, f"{part.folder}/{DIAG}/{figures.name}")
        if run.record.environment:
            self.add(Entry.of(f"environment/{run.run_id}.txt", _requirements(run.record.environment)))
        if self.wishes.machine:
            self.add(Entry.of(f"machine/{run.run_id}.lock", read_inside(run.save_dir, run.lock_path)))
            log = run.save_dir / CONSOLE_LOG
            if log.is_file() and not log.is_symlink():
                self.add(Entry(f"machine/{run.run_id}.log", log, log.stat().st_size))

    def _add_code(self, run: Run, index: int) -> str:
        """Add one repository's code, as files to read and as a bundle; return its name in the crate."""
        code = run.record.code[index]
        key = (code.name, str(code.tree))
        if key in self._code:
            return self._code[key]
        name = self._code[key] = self._code_name(code)
        files, bundle = self.folder / f"{len(self._code)}", self.folder / f"{len(self._code)}.bundle"
        try:
            if (repository := repository_of(code, run.record.code)) is None:
                raise GitError("it is in no repository here")
            lay_out(repository, str(code.commit), files)
            write_bundle(repository, str(code.commit), bundle, when=run.record.started, history=self.wishes.history)
        except GitError as error:
            raise NagaError(f"the code of run {run.run_id}, {code.name}, cannot be read: {error}") from error
        self.add(Entry(f"code/{name}.bundle", bundle, bundle.stat().st_size))
        for folder, _, found in os.walk(files):
            for file in sorted(Path(folder, one) for one in found):
                if not file.is_symlink():  # the bundle has it
                    self.add(Entry(f"code/{name}/{file.relative_to(files)}", file, file.stat().st_size))
        return name

    def _code_name(self, code: Code) -> str:
        name = re.sub(r"[^\w.-]+", "_", code.name) or "code"
        is_taken = name.endswith(".bundle") or name.casefold() in map(str.casefold, self._code.values())
        return f"{name}-{str(code.tree)[:12]}" if is_taken else name

    def _add_data(self, run: Run, machine: Machine) -> Iterator[tuple[str, str]]:
        """Add the inputs of a run; return the path of each, and its place in the crate."""
        base = base_of(run.record)
        for upstream in run.record.upstream:
            self.add_run(load_run(str(find_upstream(upstream, base))), asked=False)  # it was found a moment ago
        runs = [base / upstream.save_dir for upstream in run.record.upstream]
        for key, data in run.record.data.items():
            for text in texts(data.path):
                for found in glob.glob(text, root_dir=base, recursive=True) or [text]:  # noqa: PTH207  # has root_dir
                    place = base / found
                    if not place.exists():
                        self.left_out.append(f"{key}: {found}: it is not a file of this machine")
                    elif not any(place.is_relative_to(run) for run in runs):
                        yield machine.text(found), self._place_of(place, data.ignore)

    def _place_of(self, place: Path, ignore: Sequence[str]) -> str:
        if place not in self._data:
            self._data[place] = f"data/{len(self._data)}/{place.name}"
            self._add_tree(hash_path(place, ignore=ignore), place, self._data[place])
        return self._data[place]


def export(runs: Sequence[Run], target: Path, wishes: Wishes, tell: Callable[[Crate], None] = lambda _: None) -> None:
    """Write runs to a new zip; ``tell`` is called with all that goes in before any of it is written."""
    _require_new(target, runs)
    if find_spec("rocrate") is None:
        raise NagaError("naga export needs rocrate", hint="pip install 'naga-runs[crate]'")
    from naga.crate.metadata import metadata

    # SIGTERM, too, ends it by way of what removes temporary files.
    with Signals() as signals, scratch("naga-export-") as folder:
        signals.let_through()
        crate = Crate(folder, wishes)
        for run in runs:
            crate.add_run(run)
        about = {"schema": CRATE_SCHEMA, "runs": [part.about for part in crate.parts]}
        crate.add(Entry.of(CRATE, json.dumps(about, indent=1)))
        crate.add(Entry.of("ro-crate-metadata.json", metadata(crate)))
        tell(crate)
        _write(target, crate.entries)


def _require_new(target: Path, runs: Sequence[Run]) -> None:
    if os.path.lexists(target):
        raise SaveDirError(f"'{target}' is there already", hint="--to <a new file>")
    if not target.absolute().parent.is_dir():
        raise SaveDirError(f"there is no folder '{target.parent}'", hint=f"mkdir -p '{target.parent}'")
    for run in runs:
        if target.resolve().is_relative_to(run.save_dir.resolve()):
            raise UsageError(f"'{target}' would be a new output of run {run.run_id}", hint="--to <a file elsewhere>")


def _whole(run: Run, *, data: bool) -> Tree:
    """Return the outputs of a run; refuse one that could not be computed again, or whose results have changed."""
    if reasons := lacks(run):
        raise NagaError(f"run {run.run_id} cannot be exported: {reasons[0]}", hint="naga ls")
    outputs = hash_outputs(run.save_dir)
    if run.record.outputs is None or outputs.hash != run.record.outputs.hash:
        raise SaveDirError(f"the outputs of run {run.run_id} are not what it left", hint=f"naga verify {run.run_id}")
    if data and (changed := list(changed_inputs(run.record))):
        raise NagaError(f"run {run.run_id}: {changed[0]}", hint="leave out --with-data")
    return outputs


def _requirements(environment: Environment) -> str:
    """List the packages as pip reads them; what came from no index is a comment."""
    lines = [
        f"{'# ' * (name in environment.origins)}{name}=={version}" for name, version in environment.packages.items()
    ]
    return "\n".join([f"# Python {environment.python}", *lines, ""])


def _write(target: Path, entries: Sequence[Entry]) -> None:
    """Write a zip under a temporary name, and rename it unless the name is taken; on failure nothing is left."""
    new = target.absolute().with_name(f".naga-{os.urandom(8).hex()}.tmp")
    try:
        with zipfile.ZipFile(new, "x") as archive:
            for entry in entries:
                _put(archive, entry)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        target.open("xb").close()  # the name is ours from here on: who else wants it is refused
        new.replace(target)
    except FileExistsError:
        raise SaveDirError(f"'{target}' is there already", hint="--to <a new file>") from None
    except OSError as error:
        raise SaveDirError(f"'{target}' cannot be written: {error.strerror or error}") from error
    finally:
        new.unlink(missing_ok=True)


def _put(archive: zipfile.ZipFile, entry: Entry) -> None:
    from blake3 import blake3

    head = zipfile.ZipInfo(entry.name, (1980, 1, 1, 0, 0, 0))
    head.external_attr = (0o40755 if entry.name.endswith("/") else 0o100644) << 16
    head.compress_type = _way(entry)
    head.file_size = entry.size
    found = blake3()
    with archive.open(head, "w") as file:
        for chunk in entry.chunks():
            found.update(chunk)
            file.write(chunk)
    if entry.hash and entry.hash != f"blake3:{found.hexdigest()}":
        raise NagaError(f"'{entry.source!s}' changed while it was exported")


def _way(entry: Entry) -> int:
    """Choose how to store a file: uncompressed where it would look like a zip bomb, which readers refuse."""
    if entry.size <= SMALL_BYTES:
        return zipfile.ZIP_DEFLATED
    packer = zlib.compressobj()
    size = sum(len(packer.compress(chunk)) for chunk in entry.chunks()) + len(packer.flush())
    return zipfile.ZIP_STORED if entry.size > size * MOST_RATIO // 2 else zipfile.ZIP_DEFLATED
