"""A helper that has changed since: reproduced with the code of then, and with --code current it is named."""

import json
from dataclasses import dataclass
from pathlib import Path

from parts import factor

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/changed_helper"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Use what will change."""
    result = factor.FACTOR * 3
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
