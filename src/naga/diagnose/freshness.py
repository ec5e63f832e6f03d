"""Whether the page of a run is what its diag would publish today."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from naga.diagnose.diag_key import Recipe, recipe_today
from naga.project import project_root
from naga.runs.find import Run
from naga.save_dir.archive import home_of
from naga.tracking.published_runs import Page, newest_pages
from naga.tracking.store import store_of
from naga.tracking.tags import Status, Tag


class Standing:
    """What is published in a store, held against the files of a project."""

    def __init__(self, pages: Mapping[str, Page], root: Path) -> None:
        self._pages = pages
        self._root = root
        self._recipes: dict[tuple[str | None, ...], Recipe | None] = {}

    def of(self, run: Run) -> str:
        """Say ``fresh``, ``stale`` or ``never`` of a run's page."""
        page = self._pages.get(run.run_id)
        if page is None:
            return "never"
        if page.tags.get(Tag.STATUS) != Status.ACTIVE and not home_of(run.save_dir, run.run_id)[1]:
            return "stale"
        if ":" not in page.tags.get(Tag.DIAG, ""):
            # Written in a notebook: the run is all that can be compared.
            return "fresh" if page.tags.get(Tag.LOCK_HASH) == run.lock_hash else "stale"
        recipe = self._recipe(page)
        return "fresh" if recipe and recipe.key(run.lock_hash) == page.tags.get(Tag.DIAG_KEY) else "stale"

    def is_fresh(self, run: Run, *, file: str, function: str = "", recorded: bool = False) -> bool:
        """Tell whether a run's page is of this diag, or of any in its file, and fresh."""
        page = self._pages.get(run.run_id)
        if page is None or (page.tags.get(Tag.DIAG_CODE) is not None) != recorded:
            return False
        name, _, own = page.tags.get(Tag.DIAG, "").rpartition(":")
        return name == file and function in ("", own) and self.of(run) == "fresh"

    def page(self, run: Run) -> Page | None:
        """Give the newest page of a run."""
        return self._pages.get(run.run_id)

    def _recipe(self, page: Page) -> Recipe | None:
        key = tuple(page.tags.get(tag) for tag in (Tag.DIAG, Tag.DIAG_ARGUMENTS, Tag.DIAG_CODE))
        if key not in self._recipes:
            self._recipes[key] = recipe_today(page.tags, self._root)
        return self._recipes[key]


def freshness(runs: Sequence[Run], start: Path) -> dict[str, str]:
    """Say of each run if its page is fresh or stale, or was never published."""
    if not runs:
        return {}
    # Results may lie outside of the project that one works in.
    own = start.absolute() if (project_root(start.absolute()) / "mlflow.db").exists() else Path.cwd()
    standing = Standing(newest_pages(store_of(own)), project_root(own))
    return {run.run_id: standing.of(run) for run in runs}
