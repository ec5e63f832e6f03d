"""Code in a submodule: reproduced."""

import json
from dataclasses import dataclass
from pathlib import Path

from library import sub

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/submodule"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Use the submodule."""
    result = sub.VALUE
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
