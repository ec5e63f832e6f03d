"""A tracked folder: reproduced."""

import json
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot, track_data


@dataclass
class Config:
    save_dir: str = "results/tracked_folder"
    folder: str = "data/many"


@runlock
@snapshot
@track_data("folder")
@clicfg
def main(cfg: Config) -> None:
    """List a folder."""
    result = sorted(path.name for path in Path(cfg.folder).iterdir())
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
