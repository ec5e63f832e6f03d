"""The names that a zip of runs may hold, for its writer and its reader: valid and distinct on every system."""

import re
import unicodedata

from naga.layout import OWN_FOLDER

CRATE = f"{OWN_FOLDER}/crate.json"
CRATE_SCHEMA = "naga.crate/1"
MOST_BYTES = 2**30
MOST_RATIO = 200  # of what one file unpacks to
SMALL_BYTES = 2**20  # up to which it may unfold further

_ODD = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]|^[A-Za-z]:|.{4096}")


class Names:
    """The names of a zip so far, to check the next one against."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def problem(self, name: str) -> str:
        """Say what is wrong with a further name; '' where nothing is, and the name is then remembered."""
        parts = name.removesuffix("/").split("/")
        if {"", ".", ".."} & set(parts):
            return "leads out of its folder"
        if _ODD.search(name):
            return "is not a valid name on every system"
        folders = ["/".join(parts[:end]) + "/" for end in range(1, len(parts))]
        for path in (*folders, name):
            key = unicodedata.normalize("NFC", path.rstrip("/")).casefold()
            if self._known.get(key, path) != path or (key in self._known and not path.endswith("/")):
                return "is there already, or differs from another by upper and lower case alone"
            self._known[key] = path
        return ""
