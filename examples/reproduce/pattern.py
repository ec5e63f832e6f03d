"""Inputs that a pattern names: reproduced."""

import glob
import json
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot, track_data


@dataclass
class Config:
    save_dir: str = "results/pattern"
    files: str = "data/many/*.txt"


@runlock
@snapshot
@track_data("files")
@clicfg
def main(cfg: Config) -> None:
    """Add what the files hold."""
    result = sum(int(Path(file).read_text()) for file in sorted(glob.glob(cfg.files)))  # noqa: PTH207
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
