"""A package that is not installed any more: not restored."""

import json
from dataclasses import dataclass
from pathlib import Path

import tinylib

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/missing_package"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Use a package that will be gone."""
    result = tinylib.VALUE
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
