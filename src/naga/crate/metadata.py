"""What a zip of runs says of itself to other programs: the metadata of a Process Run Crate, in JSON-LD."""

import json
import math
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from naga.layout import DIAG, OWN_FOLDER
from naga.reproduce.restore import texts

if TYPE_CHECKING:
    from naga.crate.export import Crate, Part

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_DONE = "http://schema.org/CompletedActionStatus"
_NO_LICENCE = "No licence is stated: ask the authors before you use it."


def metadata(crate: "Crate") -> str:
    """Write ``ro-crate-metadata.json``."""
    return json.dumps(_Description(crate).graph.metadata.generate(), indent=1, ensure_ascii=False)


class _Description:
    """The entities of a crate; methods give references to them."""

    def __init__(self, crate: "Crate") -> None:
        from rocrate.rocrate import ROCrate

        self.crate, self.graph = crate, ROCrate(version="1.1")
        tasks = ", ".join(dict.fromkeys(part.record.task for part in crate.parts))
        citation = _citation(crate)
        for entry in crate.entries:
            if not entry.name.endswith("/"):
                about = {"name": PurePosixPath(entry.name).name, "contentSize": str(entry.size)}
                about["encodingFormat"] = mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
                self.graph.add_file(dest_path=entry.name, properties=about)
        for part in crate.parts:
            left = {"name": f"What run {part.run.run_id} left in {part.record.save_dir}"}
            self.graph.add_dataset(dest_path=part.folder, properties=left)
        self.authors = list(self._authors(citation))
        root = {
            "name": str(citation.get("title") or f"Runs of {tasks}"),
            "description": f"What ran, with what, and what came of it, of runs of {tasks} recorded by Naga",
            "license": self._licence(citation.get("license")),
            "conformsTo": self._add(_PROFILE, "CreativeWork", name="Process Run Crate", version="0.5"),
            "mentions": [action for part in crate.parts for action in self._actions(part)],
            **({"author": self.authors} if self.authors else {}),
        }
        for key, value in root.items():
            self.graph.root_dataset[key] = _single(value)

    def _add(self, at: str, kind: str, **about: Any) -> dict[str, str]:
        if not self.graph.get(at):
            known = {key: _single(item) for key, item in about.items() if item not in (None, [])}
            self.graph.add_jsonld({"@id": at, "@type": kind, **known})
        return {"@id": at}

    def _actions(self, part: "Part") -> Iterator[dict[str, str]]:
        record, folder, said = part.record, f"{part.folder}/", part.publication
        own, figures = f"{folder}{OWN_FOLDER}/", f"{folder}{DIAG}/"
        results = [one for one in self._below(folder) if not one["@id"].startswith((own, figures))]
        yield self._add(
            f"#run-{record.run_id}", "CreateAction", name=f"Run {record.run_id} of {record.task}",
            description="The task was computed with these inputs and values.",
            instrument=self._instrument(part, record.task), agent=self.authors, actionStatus=_DONE,
            object=[*self._inputs(part), *self._values(f"#config-{record.run_id}", record.config)],
            result=[{"@id": folder}, *results], startTime=_time(record.started), endTime=_time(record.ended),
        )  # fmt: skip
        if said:
            yield self._add(
                f"#diag-{record.run_id}", "CreateAction", name=f"{said.get('diag')} of run {record.run_id}",
                description="The results of the run were read, and figures and metrics made of them.",
                instrument=self._instrument(part, str(said.get("diag"))), agent=self.authors, actionStatus=_DONE,
                object=[{"@id": folder}], endTime=_time(said.get("published")),
                result=[*self._below(figures), *self._values(f"#metrics-{record.run_id}", said["metrics"])],
            )  # fmt: skip

    def _instrument(self, part: "Part", task: str) -> dict[str, str]:
        """Describe a task, or a diag, and the file that it is in."""
        # A task is `module.function`, a diag `file.py:function`.
        module = PurePosixPath(task.partition(":")[0]).stem if ":" in task else task.rpartition(".")[0]
        name, environment = module.rpartition(".")[2], part.record.environment
        files = [one for code in part.about["code"] for one in self._below(f"code/{code}/")]
        files = [one for one in files if PurePosixPath(one["@id"]).stem == name]
        return self._add(
            f"#{quote(task)}-{part.run.run_id}", "SoftwareSourceCode", name=task,
            version=str(part.record.code[0].tree), hasPart=files,
            softwareRequirements=self._below(f"environment/{part.run.run_id}.txt"),
            programmingLanguage=environment and self._add(
                "https://www.python.org/", "ComputerLanguage", name="Python", version=environment.python),
        )  # fmt: skip

    def _inputs(self, part: "Part") -> Iterator[dict[str, str]]:
        for key, data in part.record.data.items():
            size = None if data.size_bytes is None else str(data.size_bytes)
            places = [place for text in texts(data.path) if (place := part.about["data"].get(text))]
            yield self._add(
                f"#input-{part.run.run_id}-{quote(key)}", "CreativeWork", name=f"{key}: {data.path}",
                identifier=data.hash, contentSize=size, hasPart=[one for place in places for one in self._below(place)],
            )  # fmt: skip
        for upstream in part.record.upstream:
            about = {"name": upstream.save_dir, "identifier": upstream.outputs_hash}
            inside = self.graph.get(f"runs/{upstream.run_id}/")
            yield {"@id": inside.id} if inside else self._add(f"#run-of-{upstream.run_id}", "CreativeWork", **about)

    def _values(self, above: str, values: Mapping[Any, Any]) -> Iterator[dict[str, str]]:
        for key, value in values.items():
            is_plain = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
            plain = value if is_plain else json.dumps(value, default=str)
            yield self._add(f"{above}-{quote(str(key))}", "PropertyValue", name=str(key), value=plain)

    def _below(self, beginning: str) -> list[dict[str, str]]:
        names = (entry.name for entry in self.crate.entries if entry.name.startswith(beginning))
        return [{"@id": quote(name)} for name in names if not name.endswith("/")]

    def _licence(self, name: Any) -> Any:
        name = name[0] if isinstance(name, list) and name else name
        if not isinstance(name, str):
            return _NO_LICENCE
        return self._add(f"https://spdx.org/licenses/{quote(name)}", "CreativeWork", name=name, description=name)

    def _authors(self, citation: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        people = citation.get("authors")
        for number, one in enumerate(people if isinstance(people, list) else []):
            if isinstance(one, dict):
                names = [str(one[key]) for key in ("given-names", "name-particle", "family-names") if one.get(key)]
                kind, name = "Person" if names else "Organization", " ".join(names) or str(one.get("name"))
                yield self._add(str(one.get("orcid") or f"#author-{number}"), kind, name=name)


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _time(time: str | None) -> str | None:
    """Write a time as the profile has it."""
    return time and time.replace("Z", "+00:00")


def _citation(crate: "Crate") -> Mapping[str, Any]:
    """Read the CITATION.cff of the first run's code; an invalid one counts as none."""
    import yaml

    name = f"code/{crate.parts[0].about['code'][0]}/CITATION.cff"
    try:
        found = yaml.safe_load(b"".join(b"".join(entry.chunks()) for entry in crate.entries if entry.name == name))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
