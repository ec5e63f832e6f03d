"""A project of several files: reproduced, and so it is when one of them has changed."""

import json
from dataclasses import dataclass
from pathlib import Path

from parts import factor

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/several_files"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Use another file of the project."""
    result = factor.FACTOR * 2
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
