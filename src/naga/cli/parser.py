"""Every command and the words that it takes; the module of a command is imported when it is called."""

import argparse
import os
from pathlib import Path
from typing import Any

import naga
from naga.errors import RunNotFoundError, UsageError
from naga.runs.filter import COLUMNS
from naga.wording import nearest

_RUN = "a save_dir, its run.lock, a run_id or a unique beginning of one"
_RUNS = f"{_RUN}, or a quoted pattern of save_dirs: 'results/**'"
_FILTER = (
    "terms, as in 'config.lr>0.01 and (status=failed or tags~best)': a field (" + ", ".join(COLUMNS) + ", config.KEY, "
    "metrics.KEY), one of = != < <= > >= ~, and a value"
)
_KEYS = f"of {', '.join(COLUMNS)}, config.KEY, metrics.KEY; default: what differs, as far as there is room"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are Naga's."""

    def error(self, message: str) -> None:  # type: ignore[override]  # raising is one way not to return
        raise UsageError(message, hint=f"{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:  # noqa: SLF001  # a command
            near = nearest(value, action.choices)
            raise UsageError(f"there is no command '{value}'", hint=f"naga {near}" if near else "naga --help")
        super()._check_value(action, value)


def parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line; the parsed ``command`` is ``module:function`` below `naga.cli`."""
    top = _Parser(prog="naga", description="Find, compare, verify, reproduce and publish the runs of Naga's tasks.",
                  epilog="naga COMMAND --help says what a command takes.")  # fmt: skip
    top.add_argument("--version", action="version", version=f"naga {naga.__version__}")
    top.set_defaults(command="")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for add in (_find, _compare, _reproduce, _describe, _publish, _tidy):
        add(commands)
    return top


def _command(commands: Any, name: str, call: str, help: str) -> Any:  # noqa: A002  # as argparse has it
    command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    command.set_defaults(command=call)
    return command


def _find(commands: Any) -> None:
    ls = _command(commands, "ls", "ls:ls", "list the runs below a folder")
    _add_root(ls, "default: the current folder")
    ls.add_argument("--archived", action="store_true", help="also those that newer runs have moved aside")
    ls.add_argument("--filter", default="", metavar="TERMS", help=_FILTER)
    ls.add_argument("--columns", default="", metavar="KEY,...", help=_KEYS)
    ls.add_argument("--sort", default="started", metavar="[-]KEY", help="by one of them; -KEY: the largest first")
    ls.add_argument("--limit", type=_limit, metavar="N", help="only the first N")
    _add_format(ls, "json", "csv", "markdown", "latex")
    show = _command(commands, "show", "runs:show", "show one run: what ran, with what, and how it ended")
    show.add_argument("run", metavar="RUN", help=_RUN)
    status = _command(commands, "status", "sweep:status", "count how the runs and points below a folder stand")
    status.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="default: the current folder")
    status.add_argument("--watch", action="store_true", help="again every two seconds, until nothing runs or waits")
    _add_format(status, "json")
    log = _command(commands, "log", "sweep:log", "print what a run printed")
    log.add_argument("run", metavar="RUN", help=_RUN)
    log.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    cancel = _command(commands, "cancel", "sweep:cancel_below", "stop the sweeps and runs below a folder")
    cancel.add_argument("folder", metavar="FOLDER", help="the root of a sweep, or the folder of a run")


def _compare(commands: Any) -> None:
    diff = _command(commands, "diff", "diff:diff_runs", "print what differs between runs (exit code 1: something does)")
    diff.add_argument("runs", nargs="+", metavar="RUN", help=_RUN)
    diff.add_argument("--only", metavar="PART,...",
                      help="of config, code, data, environment, outputs, metrics; default: all")  # fmt: skip
    diff.add_argument("--patch", action="store_true", help="also the patch between the codes")
    diff.add_argument("--why", action="store_true", help="is it the results or the diag? each diag on both results")
    _add_format(diff, "json")
    graph = _command(commands, "graph", "tidy:graph", "show which runs were made from which")
    graph.add_argument("root", nargs="?", default=".", metavar="ROOT|RUN", help="default: the current folder")
    graph.add_argument("--format", default="tree", choices=("tree", "mermaid", "svg", "json"), help="default: tree")
    graph.add_argument("--files", action="store_true", help="also inputs, and figures of runs and diags")
    whence = _command(commands, "whence", "tidy:whence_files", "find the run, or the diag, that made a file")
    whence.add_argument("files", nargs="+", metavar="FILE", help="a figure, a table: any file, wherever it is now")
    verify = _command(commands, "verify", "runs:verify_runs", "report what has changed since the runs")
    verify.add_argument("runs", nargs="+", metavar="RUN", help=_RUNS)


def _reproduce(commands: Any) -> None:
    help = "compute a run again, apart, with a verdict for each output"  # noqa: A001  # as argparse has it
    again = _command(commands, "reproduce", "reproduce:reproduce_run", help)
    again.add_argument("run", metavar="RUN", help=f"{_RUN}, or a zip of naga export")
    again.add_argument(
        "--to", type=Path, metavar="DIR", help="a new folder for it; default: in .reproduced beside the run"
    )
    again.add_argument("--tolerance", action="append", default=[], metavar="FILE=REL",
                       help="numbers in these files may differ so much: 'metrics.json=1e-6'")  # fmt: skip
    again.add_argument("--env", default="current", choices=("current", "recorded"),
                       help="recorded: with the recorded versions of all packages, by uv")  # fmt: skip
    again.add_argument("--build", action="store_true", help="with --env recorded: also build what has no wheel")
    again.add_argument("--code", default="recorded", choices=("recorded", "current"), help="current: with today's code")
    again.add_argument("--trust", action="store_true", help="run the code of a zip, or of a folder of another user")
    again.add_argument("--large", action="store_true", help="open a zip that unpacks to more than 1 GiB")
    again.add_argument("--repeat", type=_count, default=1, metavar="N", help="compute it N times")
    _add_format(again, "json")
    checkout = _command(commands, "checkout", "reproduce:checkout", "lay out the code of a run in a new folder")
    checkout.add_argument("run", metavar="RUN", help=f"{_RUN}, or a zip of naga export")
    checkout.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    checkout.add_argument("--large", action="store_true", help="open a zip that unpacks to more than 1 GiB")
    export = _command(commands, "export", "export:export_runs", "write runs to a zip that others can compute again")
    export.add_argument("run", nargs="+", metavar="RUN", help=_RUNS)
    export.add_argument("--to", type=Path, required=True, metavar="FILE.zip", help="a new file")
    export.add_argument("--with-data", action="store_true", help="also the inputs, and the runs that were read")
    export.add_argument("--with-history", action="store_true",
                        help="also all former commits, with what has been deleted since")  # fmt: skip
    export.add_argument("--with-machine", action="store_true",
                        help="also user, host, paths, addresses: the run.lock as it is, what was printed")  # fmt: skip


def _describe(commands: Any) -> None:
    tag = _command(commands, "tag", "notes:tag", "give runs tags, and take tags away")
    tag.usage = "naga tag [-h] RUN [RUN ...] [+NAME ...] [-NAME ...]"
    tag.add_argument(
        "words",
        nargs="+",
        metavar="RUN... +NAME -NAME",
        help="runs, and tags to give and to take away: results/a +best -draft",
    )
    note = _command(commands, "note", "notes:note", "note something of a run, in place of what was noted before")
    note.add_argument("run", metavar="RUN", help=_RUN)
    note.add_argument("text", nargs="?", metavar="TEXT", help="'' takes the note away; without it, it is printed")


def _publish(commands: Any) -> None:
    diag = _command(commands, "diag", "diag:diag", "publish runs again with today's diag, without computing")
    _add_script(diag, nargs="*")
    diag.add_argument("--stale", action="store_true", help="only runs whose MLflow results are out of date")
    diag.add_argument("--dry-run", action="store_true", help="publish nothing, and say what would change")
    diag.add_argument("--check", action="store_true", help="publish nothing: which runs can today's diag read, and how")
    diag.add_argument("--strict", action="store_true", help="fail where a diag changes what a run left")
    diag.add_argument("--code", default="current", choices=("current", "recorded"),
                      help="recorded: use the run's own code; only the script is today's")  # fmt: skip
    rebuild = _command(commands, "rebuild", "diag:rebuild_store", "make an MLflow store from runs alone")
    _add_script(rebuild, nargs="+")
    rebuild.add_argument("--to", required=True, metavar="URI", help="the store, as in sqlite:///mlflow.db")
    help = "print the address of the newest MLflow run of each run"  # noqa: A001
    view = _command(commands, "mlflow-view", "runs:mlflow_view", help)
    _add_root(view, "a folder of the project; default: here")
    view.add_argument("--experiment", metavar="NAME", help="its name or id; default: that of MLFLOW_EXPERIMENT_NAME")


def _tidy(commands: Any) -> None:
    rm = _command(commands, "rm", "tidy:rm", "move runs to the archive beside them (gc removes them)")
    rm.add_argument("runs", nargs="+", metavar="RUN", help=_RUNS)
    gc = _command(commands, "gc", "tidy:gc", "list what could be removed, and remove it with --yes")
    gc.add_argument("root", metavar="ROOT", help="a folder with runs")
    gc.add_argument("--older", default="0d", metavar="AGE", help="only runs that began so long ago: 30d, 12h, 2w")
    gc.add_argument("--failed", action="store_true", help="only those that failed, were killed, or are lost")
    gc.add_argument("--archived", action="store_true", help="only those in .archive; neither word: both kinds")
    gc.add_argument("--mlflow", action="store_true", help="also their MLflow runs")
    gc.add_argument("--yes", action="store_true", help="remove them")
    hashed = _command(commands, "hash", "runs:hash_paths", "print the hash of files, or check them against a list")
    hashed.add_argument("path", nargs="+", type=_path, metavar="PATH",
                        help="files or folders; with --check: lists of hashes; with --record: runs")  # fmt: skip
    what = hashed.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare what is on the disk with lists of hashes")
    what.add_argument("--record", action="store_true", help="hash the outputs of runs that were too large at their end")
    help = "repair what crashed runs left behind; report what needs your decision"  # noqa: A001
    _add_root(_command(commands, "doctor", "runs:doctor", help), "a folder of the project; default: here")


def _add_root(command: argparse.ArgumentParser, help: str) -> None:  # noqa: A002
    command.add_argument("root", nargs="?", type=_folder, default=".", metavar="ROOT", help=help)


def _add_format(command: argparse.ArgumentParser, *further: str) -> None:
    command.add_argument("--format", default="table", choices=("table", *further), help="default: table")


def _add_script(command: argparse.ArgumentParser, *, nargs: str) -> None:
    command.add_argument("script", metavar="SCRIPT[:FUNC]", help="FUNC: where a script has several diags")
    command.add_argument("run", nargs=nargs, metavar="RUN", help=_RUNS)
    command.add_argument("--filter", default="", metavar="TERMS", help=_FILTER)
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that share the work; default: 1")
    command.add_argument(
        "--launcher", default="local", metavar="NAME", help="local (default), slurm, dask or module:factory"
    )
    command.add_argument("-l", dest="options", action="append", default=[], metavar="key=value",
                         help="an option of the launcher: -l partition=gpu")  # fmt: skip


def _folder(word: str) -> str:
    """Read the name of a folder; an empty one is an unset variable of the shell, and not the current folder."""
    if not os.path.isdir(word):  # noqa: PTH112  # a name that is too long is none
        raise RunNotFoundError(f"no folder '{word}'", hint="naga ls <a folder>")
    return word


def _limit(word: str) -> int:
    if not word.isdecimal():
        raise UsageError(f"--limit {word}: not a number of runs", hint="--limit 20")
    return int(word)


def _count(word: str) -> int:
    if not word.isdecimal() or not 0 < int(word) < 1000:
        raise UsageError(f"--repeat {word}: not a number of times", hint="--repeat 3")
    return int(word)


def _path(word: str) -> str:
    if not word:
        raise UsageError("'' is not a path", hint="naga hash PATH")
    return word
