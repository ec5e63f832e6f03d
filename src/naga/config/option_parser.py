"""The options of a task's command line, and its help."""

import argparse
from functools import partial
from pathlib import Path
from typing import NoReturn

from naga.config.declared import Declared
from naga.config.help_text import describe_fields
from naga.config.merge import dotted_keys, nearest_key
from naga.errors import UsageError


def _path(word: str) -> Path:
    if not word:  # a variable of the shell that is not set; Path("") is the current folder
        raise argparse.ArgumentTypeError("'' is no path")
    return Path(word)


class Parser(argparse.ArgumentParser):
    """An argparse parser that knows a task's configuration, and whose errors are Naga's."""

    def __init__(self, declared: Declared | None, program: str, description: str) -> None:
        super().__init__(
            prog=program,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            usage="%(prog)s [key=value ...] [options]",
            allow_abbrev=False,
        )
        self.declared = declared
        add = self.add_argument
        add("-o", dest="overrides", metavar="key=value", action="append", default=[], help="change one value")
        # Both in one list, because their order says what belongs to what.
        layer = partial(add, dest="layers", action="append", default=[])
        layer("--config", metavar="FILE", type=_path, help="values from a YAML file; several are laid in order")
        layer("--experiment", metavar="KEY", help="only the part of that file under this dotted key")
        add("--show-config", action="store_true", help="print the configuration and do nothing else")
        add("--existing", choices=["archive", "refuse", "reuse"], help="what to do where a finished run lies already")
        add(
            "--local_rank",
            "--local-rank",
            metavar="N",
            type=int,
            help="what torch.distributed.launch and DeepSpeed add",
        )
        add("--reuse", metavar="RUN_DIR", type=_path, help="compute nothing: take the configuration of this run")

    def format_help(self) -> str:
        """Add the fields of the configuration, which are looked for in the source only when they are shown."""
        self.epilog = describe_fields(self.declared) if self.declared else None
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError`, with the key that was meant where an option looks like one."""
        option = message.removeprefix("unrecognized arguments: ").split()[0].partition("=")[0]
        near = None
        if option.startswith("-") and self.declared:
            near = nearest_key(option.lstrip("-").replace("-", "_"), list(dotted_keys(self.declared.base)))
        raise UsageError(message, hint=f"{near}=..." if near else f"{self.prog} --help")
