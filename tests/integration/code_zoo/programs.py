"""States of a repository: what git runs."""

import shlex
import shutil
from pathlib import Path

from integration.code_zoo.zoo import Zoo, state


def _trap(zoo: Zoo) -> Path:
    """Write a program that leaves a file behind, and refuses."""
    return zoo.program("trap", f"touch {shlex.quote(str(zoo.root / 'trapped'))}; exit 1")


@state("hooks that veto and write")
def hooks_that_veto_and_write(zoo: Zoo) -> None:
    trap = _trap(zoo)
    for name in (
        "pre-commit",
        "post-commit",
        "post-index-change",
        "reference-transaction",
        "commit-msg",
        "pre-auto-gc",
    ):
        shutil.copy(trap, zoo.top / ".git/hooks" / name)
    zoo.write("train.py")


@state("`core.hooksPath`")
def core_hookspath(zoo: Zoo) -> None:
    (zoo.root / "hooks").mkdir()
    shutil.copy(_trap(zoo), zoo.root / "hooks/reference-transaction")
    zoo.git("config", "core.hooksPath", str(zoo.root / "hooks"))
    zoo.write("train.py")


@state("`core.fsmonitor`")
def core_fsmonitor(zoo: Zoo) -> None:
    zoo.git("config", "core.fsmonitor", str(_trap(zoo)))
    zoo.write("train.py")


@state("`commit.gpgsign` and `log.showSignature`")
def commit_gpgsign_and_log_showsignature(zoo: Zoo) -> None:
    for key, value in {"commit.gpgsign": "true", "log.showSignature": "true", "gpg.program": str(_trap(zoo))}.items():
        zoo.git("config", key, value)
    zoo.write("train.py")


@state("external diff, text conversion, pager and editor")
def external_diff_text_conversion_pager_and_editor(zoo: Zoo) -> None:
    trap = str(_trap(zoo))
    for key in ("diff.external", "diff.odd.textconv", "core.pager", "core.editor", "pager.status"):
        zoo.git("config", key, trap)
    zoo.write(".gitattributes", "*.py diff=odd\n")
    zoo.patch.setenv("GIT_EXTERNAL_DIFF", trap)
    zoo.write("train.py")


@state("output settings that scripts trip over")
def output_settings_that_scripts_trip_over(zoo: Zoo) -> None:
    for key, value in {
        "status.showUntrackedFiles": "no",
        "status.renames": "copies",
        "status.relativePaths": "true",
        "core.quotePath": "false",
        "color.ui": "always",
        "color.status": "always",
        "diff.noprefix": "true",
        "i18n.commitEncoding": "ISO-8859-1",
        "core.logAllRefUpdates": "always",
    }.items():
        zoo.git("config", key, value)
    zoo.patch.setenv("LANG", "de_DE.UTF-8")
    zoo.write("new.py")
    zoo.git("mv", "notes.txt", "moved.txt")


@state("no identity")
def no_identity(zoo: Zoo) -> None:
    zoo.git("config", "user.useConfigOnly", "true")
    zoo.patch.setenv("HOME", str(zoo.root))
    zoo.patch.setenv("EMAIL", "")
    zoo.write("train.py")


@state("inside a hook: `GIT_DIR` and `GIT_INDEX_FILE` of another repository")
def inside_a_hook_git_dir_and_git_index_file_of_another_repository(zoo: Zoo) -> None:
    other = zoo.repository("../other")
    zoo.patch.setenv("GIT_DIR", str(other / ".git"))
    zoo.patch.setenv("GIT_WORK_TREE", str(other))
    zoo.patch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    zoo.patch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare'='true'")
    zoo.patch.setenv("GIT_LITERAL_PATHSPECS", "1")
    zoo.write("train.py")
