"""Why the metrics of two runs differ: each published diag is run on the results of both."""

from collections.abc import Iterator, Mapping
from math import isclose, isnan
from pathlib import Path

from naga.capture.code.checkout import lay_out
from naga.capture.code.git import GitError, Repository
from naga.capture.code.scratch import scratch
from naga.diagnose.batch.batch import diagnose_all
from naga.diagnose.batch.outcome import BatchOptions
from naga.errors import NagaError, UsageError
from naga.frozen import dataclass
from naga.runs.find import Run
from naga.runs.metrics import last_publication
from naga.tracking.published_runs import newest_published
from naga.tracking.store import store_of
from naga.tracking.tags import Tag

Metrics = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Crossed:
    """A metric by the first run's diag on both results, then by the second's; and what changes it."""

    key: str
    values: tuple[float | None, float | None, float | None, float | None]
    because: str

    def sentence(self) -> str:
        """Put it into a sentence."""
        other = {"results": "diag", "diag": "results"}.get(self.because)
        both = "the results and the diag both change it"
        return f"{self.key}: " + (f"it is the {self.because}: the {other} changes nothing" if other else both)


def why_metrics_differ(a: Run, b: Run) -> list[Crossed]:
    """Compute the diag of each run on the results of the other, without publishing anything."""
    published = newest_published(store_of(Path.cwd()))
    tags = [published[run.run_id].tags if run.run_id in published else {} for run in (a, b)]
    for run, own in zip((a, b), tags, strict=True):
        if not own.get(Tag.DIAG_COMMIT):
            hint = "publish it from a git repository, with @snapshot on its task"
            raise UsageError(f"no commit holds the diag of run {run.run_id}: --why needs it", hint=hint)
    known = [last_publication(run.save_dir).get("metrics", {}) for run in (a, b)]
    is_one = all(tags[0].get(tag) == tags[1].get(tag) for tag in (Tag.DIAG, Tag.DIAG_COMMIT, Tag.DIAG_ARGUMENTS))
    crossed = [known[1], known[0]] if is_one else [_of_other(own, run) for own, run in zip(tags, (b, a), strict=True)]
    return list(_judged(known[0], crossed[0], crossed[1], known[1]))


def _of_other(tags: Mapping[str, str], run: Run) -> Metrics:
    """Run the diag of a publication on the results of another run."""
    name, _, function = tags[Tag.DIAG].rpartition(":")
    with scratch("naga-why-") as folder:
        try:
            lay_out(_repository(run, tags[Tag.DIAG_COMMIT]), tags[Tag.DIAG_COMMIT], folder / "code")
        except (GitError, OSError) as error:
            raise NagaError(f"the diag of commit {tags[Tag.DIAG_COMMIT][:10]} cannot be laid out: {error}") from error
        (folder / "code" / "pyproject.toml").touch()  # what searches for the root of the project stops here
        order = BatchOptions(script=folder / "code" / name, function=function)
        outcome = next(iter(diagnose_all(order, [run], preview=True, any_task=True)))
    if outcome.difference is None:
        raise NagaError(f"the diag of commit {tags[Tag.DIAG_COMMIT][:10]} fails on {run.run_id}: {outcome.reason}")
    return {key: now for key, _, now in outcome.difference.metrics if now is not None}


def _repository(run: Run, commit: str) -> Repository:
    for place in [*(Path(code.path) for code in run.record.code), Path.cwd()]:
        if place.is_dir():
            repository = Repository.find(place)
            if not repository.run("cat-file", "--batch-check", stdin=f"{commit}\n".encode()).stdout.endswith(
                b"missing\n"
            ):
                return repository
    raise GitError(f"commit {commit[:10]} is in no repository here")


def _judged(aa: Metrics, ab: Metrics, ba: Metrics, bb: Metrics) -> Iterator[Crossed]:
    """Say for each metric that differs whether the results change it, or the diag does."""
    for key in dict.fromkeys([*aa, *bb]):
        values = aa.get(key), ab.get(key), ba.get(key), bb.get(key)
        if not _same(values[0], values[3]):
            by_results = not (_same(values[0], values[1]) and _same(values[2], values[3]))
            by_diag = not (_same(values[0], values[2]) and _same(values[1], values[3]))
            yield Crossed(key, values, "both" if by_results and by_diag else "results" if by_results else "diag")


def _same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and (isclose(a, b, rel_tol=1e-12) or (isnan(a) and isnan(b))))
