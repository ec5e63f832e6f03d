"""What one call of a task means, decided before anything is written.

`make_plan` turns the marks of the decorators and the words of the caller into a `Plan`, or refuses; whatever a user can
mistype is found here, so that a wrong call leaves no folder and no commit behind.
"""

import inspect
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from naga.capture.data.inputs import require_inputs, tracked_paths
from naga.capture.data.upstream import stage_folders
from naga.config.command_line import Request, parse_arguments, show
from naga.config.compose import Resolved, compose
from naga.config.declared import Declared, declared_config
from naga.config.merge import dotted_keys
from naga.config.plain import differing_keys, value_at
from naga.config.recorded import rebuild, same_secrets, with_secrets
from naga.declarations import Call, Declares, Existing
from naga.errors import ConfigError, UsageError
from naga.frozen import dataclass
from naga.process.entry_point import (
    file_of,
    is_being_imported_by_a_child,
    is_read_by_argparse,
    is_script,
    task_name,
    unread_words,
)
from naga.process.fail import is_in_fork_of_run
from naga.process.ranks import Announcement
from naga.process.switches import require_switches
from naga.process.workers import is_loading_script
from naga.run.reuse import Reuse, finished_run, reuse_named, reuse_same
from naga.runs.find import load_run
from naga.secrets import redact_text, redacted_keys
from naga.terminal import print_asked, say


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run that is ready to begin.

    ``args`` and ``kwargs`` are what the function gets, its configuration among them; ``existing`` is None where no one
    has said it; ``words`` is what the command line named; ``base`` is what relative paths are relative to.
    ``sweep``, ``reproduces`` and ``code`` are those of a point or a reproduction.
    ``inputs`` are the tracked paths and ``stages`` the folders of earlier runs, all absolute.
    """

    run_id: str
    fn: Callable[..., Any]
    task: str
    script: Path | None
    sweep: Mapping[str, Any]
    reproduces: Mapping[str, str]
    code: Any
    declares: Declares
    config: Resolved
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    existing: Existing | None
    words: tuple[str, ...]
    base: Path
    inputs: tuple[Path, ...]
    stages: tuple[Path, ...]

    @property
    def save_dir(self) -> Path | None:
        """The folder that the run owns; None where no ``@runlock`` asks for one."""
        return self.config.save_dir if self.declares.lock else None

    @property
    def elsewhere(self) -> Callable[[str], "Plan"] | None:
        """Plans the same run in another folder; None where the folder was named by the user."""
        renamed = self.config.elsewhere if self.existing is None else None
        return (lambda save_dir: self._with(renamed(save_dir))) if renamed else None

    def _with(self, config: Resolved) -> "Plan":
        inputs, stages = _named_folders(config, self.declares, self.base)
        return replace(self, config=config, args=(config.value, *self.args[1:]), inputs=inputs, stages=stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a call says: its command line, and its arguments, sorted by what they are for.

    ``given`` is the configuration, ``keywords`` are single keys of it; ``args`` and ``kwargs`` are the further
    arguments of the function.
    """

    fn: Callable[..., Any]
    declared: Declared | None
    request: Request
    given: Any
    keywords: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def composed(self) -> Resolved:
        """Compose the configuration."""
        if self.declared is None:
            return Resolved(value=None, plain={}, save_dir=None, written_save_dir=None)
        return compose(
            self.declared,
            given=self.given,
            keywords=self.keywords,
            overrides=(*self.request.overrides, *_rank_word(self.request, self.declared.base)),
            files=self.request.files,
        )


def make_plan(fn: Callable[..., Any], declares: Declares, call: Call) -> Plan | Reuse:
    """Decide what a call means: a run to compute, or a finished one to use."""
    if declares.snapshot:
        require_switches()
    asked = _asked(fn, call)
    declared, request = asked.declared, asked.request
    if declared and call == Call():
        _warn_of_unread(fn, declared, is_reader=declares.command_line)
    if request.existing and not declares.lock:
        raise UsageError(f"--existing {request.existing}: {fn.__name__}() owns no folder", hint="@runlock")
    task = call.task or task_name(fn)
    if request.reuse is not None:
        return reuse_named(declared, declares.former, load_run(request.reuse), task, request.overrides)
    config = asked.composed()
    if request.show_config:
        print_asked(show(config))
        raise SystemExit(0)
    existing = request.existing or (declares.lock.existing if declares.lock else None)
    if declares.lock:
        _check_save_dir(config, call, declared)
        if existing == "reuse" and (finished := finished_run(config)):
            return reuse_same(declared, declares.former, finished, config)
    return _plan(asked, declares, call, config, task=task, existing=existing)


def _plan(
    asked: _Asked, declares: Declares, call: Call, config: Resolved, *, task: str, existing: Existing | None
) -> Plan:
    inputs, stages = _named_folders(config, declares, Path.cwd())
    return Plan(
        run_id=f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.urandom(4).hex()}",
        fn=asked.fn,
        task=task,
        script=file_of(asked.fn),
        sweep=call.sweep,
        reproduces=call.reproduces,
        code=call.code,
        declares=declares,
        config=config,
        args=(config.value, *asked.args) if asked.declared else asked.args,
        kwargs=asked.kwargs,
        existing=existing,
        words=_words(asked.request),
        base=Path.cwd(),
        inputs=inputs,
        stages=stages,
    )


def _named_folders(config: Resolved, declares: Declares, base: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    require_inputs(config.plain, declares.tracked, base)
    return tracked_paths(config.plain, declares.tracked, base), stage_folders(config.plain, declares.stages, base)


def refuse_accident(fn: Callable[..., Any], call: Call) -> None:
    """Refuse calls that a child process makes only because it imports the script or was forked."""
    name = getattr(fn, "__name__", "main")
    if is_being_imported_by_a_child() or is_loading_script():
        raise UsageError(
            f"{name}() was called by a child process that only imports the script",
            hint=f'if __name__ == "__main__": {name}()',
        )
    if is_in_fork_of_run() and not call.args and not call.kwargs:
        raise UsageError(
            f"{name}() was called by a forked child of the running run",
            hint=f"{name}(cfg) starts a run of its own, {name}.fn(cfg) only computes",
        )


def follow(
    fn: Callable[..., Any], call: Call, decided: Callable[[], Announcement]
) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """Return the arguments of a function in a process that shares the run of rank 0, and whether to call it."""
    asked = _asked(fn, call)
    if asked.request.show_config:
        raise SystemExit(0)
    announced = decided()
    if asked.declared is None:
        return asked.args, dict(asked.kwargs), announced.computes
    plain = _shared_config(asked, announced, is_typed=call.argv is not None)
    if _rank_word(asked.request, plain):
        plain = {**plain, "local_rank": asked.request.local_rank}
    config = rebuild(asked.declared, plain, Path(announced.save_dir or "."))
    return (config, *asked.args), dict(asked.kwargs), announced.computes


def _shared_config(asked: _Asked, announced: Announcement, *, is_typed: bool) -> dict[Any, Any]:
    """Return the configuration of rank 0 with the secrets of this rank; refuse one whose own words differ."""
    plain, words = announced.config or {}, _words(asked.request)
    # What is typed beside --reuse gives secrets, and is not a configuration to compare.
    compares = is_typed and asked.request.reuse is None and bool(words or announced.words)
    if compares or (announced.computes and redacted_keys(plain)):
        own = asked.composed().plain
        _refuse_other_words(words, announced.words, own, plain)
        return with_secrets(plain, own) if announced.computes else plain
    return plain


def _words(request: Request) -> tuple[str, ...]:
    """Name the words of a command line that concern the configuration: keys of overrides, and files."""
    files = (f"--config {file} --experiment {part}" for file, part in request.files)
    return *files, *(text.partition("=")[0] for text in request.overrides if "${" not in text)


def _refuse_other_words(
    words: Sequence[str], of_rank_0: Sequence[str], own: Mapping[Any, Any], decided: Mapping[Any, Any]
) -> None:
    """Refuse a rank whose command line differs from that of rank 0: its words would have no effect.

    A value with an interpolation may differ by itself: each rank evaluates ``${now:...}`` at its own time.
    """
    mine = same_secrets(own, decided)
    different = differing_keys(same_secrets(decided, mine), mine)
    of_files = any(word.startswith("--") for word in {*words} ^ {*of_rank_0})
    of_files_alone = {*different} - {"save_dir", "local_rank"} if of_files else ()
    named = (*words, *of_rank_0, *of_files_alone)
    for key in different:
        if any(f"{key}.".startswith(f"{word}.") for word in named):
            values = [value_at(plain, key) for plain in (mine, decided)]
            raise UsageError(
                f"this rank was given {key}={values[0]}, and rank 0 {key}={values[1]}: they are one run",
                hint="type the same words for all ranks; of independent runs, unset PMI_RANK and PMIX_RANK",
            )


def request_of(fn: Callable[..., Any], argv: Sequence[str]) -> Request:
    """Read the words of a command line of a task."""
    return _request(fn, declared_config(fn), Call(argv=tuple(argv)))


def _request(fn: Callable[..., Any], declared: Declared | None, call: Call) -> Request:
    if call.argv is None:
        return Request()
    program = Path(sys.argv[0]).name
    try:
        return parse_arguments(call.argv, declared, program=program, description=inspect.getdoc(fn) or "")
    except UsageError as error:
        if not is_read_by_argparse():
            raise
        name = fn.__name__
        hint = f"where they are for the ArgumentParser of your own, {name}({{}}) or {name}(cfg) reads no words"
        raise UsageError(error.message, hint=hint) from None


def _asked(fn: Callable[..., Any], call: Call) -> _Asked:
    declared = declared_config(fn)
    request = _request(fn, declared, call)
    if declared is None:
        return _Asked(
            fn=fn, declared=None, request=request, given=None, keywords={}, args=call.args, kwargs=dict(call.kwargs)
        )
    others = set(inspect.signature(fn).parameters) - {declared.parameter}
    return _Asked(
        fn=fn,
        declared=declared,
        request=request,
        given=call.args[0] if call.args else call.kwargs.get(declared.parameter),
        keywords={key: value for key, value in call.kwargs.items() if key not in {*others, declared.parameter}},
        args=call.args[1:],
        kwargs={key: value for key, value in call.kwargs.items() if key in others},
    )


def _rank_word(request: Request, config: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return a launcher's ``--local_rank`` as an override, where the configuration has that key."""
    is_wanted = request.local_rank is not None and "local_rank" in config.keys()  # noqa: SIM118  # `in` evaluates
    return (f"local_rank={request.local_rank}",) if is_wanted else ()


def _warn_of_unread(fn: Callable[..., Any], declared: Declared, *, is_reader: bool) -> None:
    """Warn of words that look like values of a task that reads no command line here."""
    keys, name = set(dotted_keys(declared.base)), fn.__qualname__
    if is_reader and (words := unread_words(fn, keys)):
        say(f"warning: {name}() does not read {shlex.join(words)}: {name}.cli() does, {name}({{}}) is quiet")
    elif not is_reader and is_script(fn):
        words = [word for word in sys.argv[1:] if "=" in word and word.partition("=")[0] in keys]
        if words:
            say(f"warning: {name}() does not read {shlex.join(words)}: it has no @clicfg")


def _check_save_dir(config: Resolved, call: Call, declared: Declared | None) -> None:
    if config.written_save_dir is None:
        fixed = declared is not None and declared.base and "save_dir" not in declared.base.keys()  # noqa: SIM118
        field = "give the configuration a field: save_dir: str = 'results/${now:%y%m%d-%H%M%S}'"
        hint = field if fixed else "save_dir=results/my_run"
        raise ConfigError("save_dir is missing: @runlock needs a folder for the run", hint=hint)
    within, folder = os.environ.get("NAGA_REPRODUCES"), os.path.realpath(config.save_dir or "")
    if folder == os.path.sep:  # all that is there would be its outputs
        raise ConfigError(f"save_dir is {config.written_save_dir!r}, the whole disk", hint="save_dir=results/my_run")
    if within and not call.reproduces and not any(Path(folder).is_relative_to(top) for top in within.split(os.pathsep)):
        raise ConfigError(f"a reproduction writes no run of another task to '{folder}'", hint="a relative save_dir")
    if redact_text(config.written_save_dir) != config.written_save_dir:
        say("warning: save_dir holds a secret, and names of folders are not redacted")
