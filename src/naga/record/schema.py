"""The fields of a run.lock, in the order in which they are written.

Each class is one mapping of the file and each attribute one key; `docs/run_lock.md` explains them to readers.
`to_plain` and `from_plain` are the only way between these values and the file's plain mappings, so a field is added by
adding it here, and nowhere else.
"""

import dataclasses
import types
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from naga.errors import LockError
from naga.frozen import dataclass

SCHEMA = "naga.run/1"
FINAL = ("finished", "failed", "killed")
STATUSES = ("running", *FINAL)
BEING_HASHED = "not hashed: the run was still about it, or its process ended before"

_MOST_BITS = 1000  # of a number that is calculated with: floats are no larger

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that a snapshot left out, relative to its repository, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One repository that the run's code came from.

    ``commit`` holds the code as it ran, uncommitted changes included; ``base_commit`` is what HEAD was. ``ref`` keeps
    the commit alive; ``log_branch`` is the branch that was advanced to it, absent where it was not. Where something
    could not be captured, ``reason`` says so and the fields that are unknown are absent.
    """

    name: str
    path: str
    commit: str | None = None
    tree: str | None = None
    base_commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    ref: str | None = None
    log_branch: str | None = None
    remote: str | None = None
    skipped: tuple[Skipped, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """One tracked input: what its configuration key held, and the hash of the data there.

    ``ignore`` are the patterns of what was left out.
    """

    path: str | list[Any] | dict[str, Any]
    kind: str
    ignore: tuple[str, ...] = ()
    hash: str | None = None
    size_bytes: int | None = None
    files: int | None = None
    source: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A run whose outputs were an input of this one."""

    save_dir: str
    run_id: str
    lock_hash: str
    outputs_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The content of save_dir at the end, without Naga's own files; the list is in ``.naga/outputs.json``.

    Where not all of it was hashed, ``hash`` is absent and ``reason`` says why.
    """

    hash: str | None = None
    size_bytes: int | None = None
    files: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The process of a run: enough to find out later whether it still lives.

    ``started_ticks`` is the process's start on its machine's own clock (clock ticks since boot), which tells a process
    from a later one with the same number; ``pid_namespace`` tells the containers of a machine from each other.
    ``ranks`` counts the processes of a distributed job, which share one run.
    """

    argv: tuple[str, ...] = ()
    cwd: str
    host: str
    pid: int
    boot_id: str | None = None
    started_ticks: int | None = None
    pid_namespace: str | None = None
    user: str | None = None
    slurm_job_id: str | None = None
    ranks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A graphics card."""

    name: str
    memory_bytes: int | None = None
    uuid: str | None = None
    driver: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of a package that no index delivered (PEP 610)."""

    url: str
    commit: str | None = None
    editable: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The interpreter, the machine and the installed packages.

    ``files`` are the hashes of those that describe the environment, by path; ``variables`` the environment variables
    that change what programs compute; ``seed`` is what `naga.seed_everything` was given.
    """

    python: str
    executable: str
    platform: str
    cpu: str | None = None
    cpus: int | None = None
    memory_bytes: int | None = None
    gpus: tuple[Gpu, ...] = ()
    packages: dict[str, str] = dataclasses.field(default_factory=dict)
    origins: dict[str, Origin] = dataclasses.field(default_factory=dict)
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run did not finish.

    ``signal`` is the name of the one that ended it, ``exit_code`` what ``sys.exit`` was given.
    """

    type: str
    message: str
    traceback: str | None = None
    signal: str | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A whole run.lock.

    Times are UTC, ISO 8601; ``duration_s`` is measured on a monotonic clock. ``config`` is resolved: reading it never
    evaluates anything. ``config_end`` is present only where the task changed its configuration.
    """

    schema: str = SCHEMA
    run_id: str
    status: str
    task: str
    save_dir: str
    attempt: int = 1
    started: str
    ended: str | None = None
    duration_s: float | None = None
    config: dict[Any, Any] = dataclasses.field(default_factory=dict)
    config_end: dict[Any, Any] = dataclasses.field(default_factory=dict)
    code: tuple[Code, ...] = ()
    data: dict[str, Data] = dataclasses.field(default_factory=dict)
    upstream: tuple[Upstream, ...] = ()
    outputs: Outputs | None = None
    process: Process
    environment: Environment | None = None
    reproduces: dict[str, str] = dataclasses.field(default_factory=dict)
    sweep: dict[str, Any] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: Failure | None = None

    @property
    def is_being_hashed(self) -> bool:
        """Whether this was written after the function returned and before the outputs were hashed."""
        return self.outputs is not None and self.outputs.reason == BEING_HASHED


def now() -> str:
    """Return the current time as records hold it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_plain(value: Any) -> Any:
    """Turn a schema value into plain mappings and lists, empty fields left out.

    Examples
    --------
    >>> to_plain(Outputs(hash="blake3:00", size_bytes=0, files=0))
    {'hash': 'blake3:00', 'size_bytes': 0, 'files': 0}
    """
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: to_plain(item) for name, item in pairs if item not in (None, (), [], {})}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return list(map(to_plain, value)) if isinstance(value, tuple | list) else value


def from_plain(kind: type[T], plain: Any, *, where: str = "run.lock") -> T:
    """Read plain mappings back into a schema class.

    What a later release has added is passed over, so that colleagues with an older one go on in a shared folder; a key
    whose neglect would mislead raises the number of the schema.

    Examples
    --------
    >>> from_plain(Outputs, {"hash": "blake3:00", "size_bytes": "0", "files": 0})
    Traceback (most recent call last):
    naga.errors.LockError: run.lock: size_bytes is '0', not int
    """
    if not isinstance(plain, dict):
        raise LockError(f"{where}: {_shown(plain)} where a mapping belongs")
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # all of them are dataclasses
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if not optional and field.name not in plain:
            raise LockError(f"{where}: {field.name} is missing", hint="a run.lock is written by Naga alone")
    hints = _hints(kind)  # type: ignore[arg-type]  # mypy does not see that a class is hashable
    below = f"{where}." if ": " in where else f"{where}: "
    return kind(**{key: _read(hints[key], item, below + key) for key, item in plain.items() if key in hints})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: Any, where: str) -> Any:
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, types.UnionType):
        fitting = [choice for choice in arguments if type(value) is (get_origin(choice) or choice)]
        return _read((fitting or arguments)[0], value, where)
    if dataclasses.is_dataclass(kind):
        return from_plain(kind, value, where=where)  # type: ignore[arg-type]  # a class, not an instance
    plain = list if kind is tuple else kind
    if kind is not Any and type(value) is not plain and not (kind is float and type(value) is int):
        raise LockError(f"{where} is {_shown(value)}, not {plain.__name__}")
    if kind in (int, float) and isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise LockError(f"{where} is a whole number of {value.bit_length()} bits, which nothing has")
    if kind is tuple:
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if kind is dict:
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
