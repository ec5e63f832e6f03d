"""What a run.lock says of its machine and user: taken out of what is passed on."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from naga.record.lockfile import redacted
from naga.record.schema import Record, from_plain, to_plain
from naga.reproduce.restore import texts

ROOT = "/naga"  # stands in a crate for the machine's folders, below which each gets a name
LEFT_OUT = "(left out)"

_PATH = re.compile(r"(?<![\w.~/$<>%*-])/(?=[\w.~-])[^\s:,;'\"()<>\[\]{}|`]*")
_ADDRESS = re.compile(r"\b[A-Za-z][\w+.-]*://[^\s'\"<>]+|(?<![\w.-])[\w.-]+@[\w.-]*(?:\.[A-Za-z]{2,}|:[^\s'\"]+)")
_OF_PROCESS = ("user", "boot_id", "started_ticks", "pid_namespace", "slurm_job_id")


class Machine:
    """Replaces paths, addresses, host and user in a record: the same path by the same name everywhere."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._places: dict[str, str] = {}
        for code in record.code:
            self._name(code.path, PurePosixPath(code.path).name)
        self._name(record.process.cwd, PurePosixPath(record.process.cwd).name or "cwd")
        for home in (f"/home/{record.process.user}", str(Path.home())):
            self._name(home, "home")
        words = [re.escape(word) for word in (record.process.host, record.process.user) if word and len(word) > 2]
        self._words = re.compile(rf"(?<![\w.-])(?:{'|'.join(words)})(?![\w-])") if words else None
        self._inputs = {text for data in record.data.values() for text in texts(data.path)}

    def without(self) -> tuple[Record, list[str]]:
        """Return the record without details of the machine, and the keys of its configuration that are changed."""
        plain = to_plain(redacted(self.record))
        plain["process"] = {key: item for key, item in plain["process"].items() if key not in _OF_PROCESS}
        plain["process"] |= {"host": LEFT_OUT, "pid": 0, "cwd": self.path(self.record.process.cwd)}
        if environment := plain.get("environment"):
            environment["executable"] = PurePosixPath(environment["executable"]).name
            environment["gpus"] = [
                {key: item for key, item in gpu.items() if key != "uuid"} for gpu in environment.get("gpus", [])
            ]
        for holder, key in ((plain, "warnings"), (plain["process"], "argv")):
            # The name of the script is what the task is found by.
            holder[key] = [
                text if text.endswith(".py") else self.plain(text, words=True) for text in holder.get(key, [])
            ]
        clean = from_plain(Record, self.plain(plain))
        return clean, [*_changed(plain.get("config", {}), clean.config, self._inputs | {self.record.save_dir})]

    def plain(self, value: Any, *, words: bool = False) -> Any:
        """Replace in all texts of a plain value; with ``words``, also the names of host and user."""
        if isinstance(value, dict):
            return {self.plain(key, words=words): self.plain(item, words=words) for key, item in value.items()}
        if isinstance(value, list):
            return [self.plain(item, words=words) for item in value]
        if not isinstance(value, str):
            return value
        text = self.text(value)
        return self._words.sub(LEFT_OUT, text) if words and self._words else text

    def text(self, text: str) -> str:
        """Replace in one text; addresses of inputs stay, since they identify the inputs."""
        if text in self._inputs and "://" in text:
            return text
        if text.startswith("/") and "\n" not in text:
            return self.path(text)
        return _PATH.sub(lambda found: self.path(found[0]), _ADDRESS.sub(LEFT_OUT, text))

    def path(self, path: str) -> str:
        """Return what stands for an absolute path."""
        if path.startswith(f"{ROOT}/"):
            return path
        path = os.path.normpath(path)
        for known in sorted(self._places, key=len, reverse=True):
            if path == known or path.startswith(f"{known}/"):
                return self._places[known] + path[len(known) :]
        self._places[path] = f"{ROOT}/elsewhere/{len(self._places)}/{PurePosixPath(path).name}"
        return self._places[path]

    def _name(self, path: str, name: str) -> None:
        if path != "/" and not any(path == known or path.startswith(f"{known}/") for known in self._places):
            taken = f"{ROOT}/{name}" in self._places.values()
            self._places[path] = f"{ROOT}/{name}{f'-{len(self._places)}' if taken else ''}"


def _changed(before: Any, after: Any, faithful: set[str], above: str = "") -> Iterator[str]:
    """Name the keys whose text was replaced, except those that the reader puts back."""
    if isinstance(before, dict | list):
        keys = zip(before, after, strict=True) if isinstance(before, dict) else ((i, i) for i in range(len(before)))
        for was, now in keys:
            yield from _changed(before[was], after[now], faithful, f"{above}.{now}" if above else str(now))
    elif before != after and before not in faithful:
        yield above
