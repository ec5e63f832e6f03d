"""Write scikit-learn's handwritten digits to data/digits.csv.gz: 1,797 rows, a label and 64 pixels each."""

import gzip
from pathlib import Path

from sklearn.datasets import load_digits

PATH = Path("data/digits.csv.gz")


def prepare() -> None:
    """Write the file; the same bytes every time, so that its hash in a run.lock means something."""
    digits = load_digits(as_frame=True)
    table = digits.frame[["target", *digits.feature_names]].astype(int)
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_bytes(gzip.compress(table.to_csv(index=False, lineterminator="\n").encode(), mtime=0))
    print(f"{PATH}: {len(table)} digits")


if __name__ == "__main__":
    prepare()
