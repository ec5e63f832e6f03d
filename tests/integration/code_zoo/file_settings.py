"""States of a repository: what git is configured to do with files."""

from integration.code_zoo.zoo import Zoo, state


@state("CRLF, `core.autocrlf=true`")
def crlf_core_autocrlf_true(zoo: Zoo) -> None:
    zoo.git("config", "core.autocrlf", "true")
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    (zoo.top / "new.py").write_bytes(b"c = 3\r\n")


@state("CRLF, committed as such, `core.autocrlf=true`")
def crlf_committed_as_such_core_autocrlf_true(zoo: Zoo) -> None:
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    zoo.commit()
    zoo.git("config", "core.autocrlf", "true")
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 3\r\n")


@state("mixed line ends, `core.safecrlf=true`")
def mixed_line_ends_core_safecrlf_true(zoo: Zoo) -> None:
    zoo.git("config", "core.autocrlf", "input")
    zoo.git("config", "core.safecrlf", "true")
    (zoo.top / "train.py").write_bytes(b"a = 1\r\nb = 2\n")


@state("`core.fileMode=false`")
def core_filemode_false(zoo: Zoo) -> None:
    (zoo.top / "train.py").chmod(0o755)
    zoo.commit()
    zoo.git("config", "core.fileMode", "false")
    zoo.write("train.py").chmod(0o644)


@state("clean and smudge filters")
def clean_and_smudge_filters(zoo: Zoo) -> None:
    zoo.git("config", "filter.upper.clean", "tr a-z A-Z")
    zoo.git("config", "filter.upper.smudge", "tr A-Z a-z")
    zoo.write(".gitattributes", "*.txt filter=upper\n")
    zoo.write("notes.txt", "shouted\n")


@state("required filter, not installed (LFS)")
def required_filter_not_installed_lfs(zoo: Zoo) -> None:
    zoo.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    zoo.write("model.bin", "version https://git-lfs.github.com/spec/v1\n")
    zoo.commit()
    for key, value in {"clean": "git-lfs-gone clean -- %f", "process": "git-lfs-gone", "required": "true"}.items():
        zoo.git("config", f"filter.lfs.{key}", value)
    zoo.write("model.bin", "version https://git-lfs.github.com/spec/v2\n")
    zoo.write("new.bin")
    zoo.write("train.py")
    zoo.names += ["model.bin", "new.bin", "clean filter 'lfs' failed"]


@state("`export-ignore` and `export-subst`")
def export_ignore_and_export_subst(zoo: Zoo) -> None:
    zoo.write(".gitattributes", "*.txt export-ignore\n*.py export-subst\n")
    zoo.write("notes.txt", "$Format:%H$\n")


@state("ignored files")
def ignored_files(zoo: Zoo) -> None:
    zoo.write("scratch.tmp")
    zoo.write(".git/info/exclude", "private/\n")
    zoo.write("private/plan.py")
    zoo.names += ["scratch.tmp", "private/", "ignored by git"]
