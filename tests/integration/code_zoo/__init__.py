"""The states that a scientist's repository can be in, a file for each kind."""

from integration.code_zoo import (  # each enters its states
    edited,
    file_settings,
    head,
    log_branch,
    missing_rights,
    nested,
    odd_files,
    programs,
    storage,
)
from integration.code_zoo.zoo import STATES, Zoo, as_owner, begin

__all__ = [
    "STATES",
    "Zoo",
    "as_owner",
    "begin",
    "edited",
    "file_settings",
    "head",
    "log_branch",
    "missing_rights",
    "nested",
    "odd_files",
    "programs",
    "storage",
]
