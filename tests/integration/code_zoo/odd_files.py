"""States of a repository: files that are not plain files."""

import os
import socket
from pathlib import Path

from integration.code_zoo.zoo import NOBODY, Zoo, state


def bound_by_permissions(zoo: Zoo) -> None:
    zoo.owner = NOBODY
    zoo.patch.setenv("HOME", str(zoo.root))
    if os.geteuid() == 0:
        for folder, _, files in os.walk(zoo.root):
            for path in (folder, *(f"{folder}/{file}" for file in files)):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@state("unreadable file")
def unreadable_file(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.write("new.py")
    zoo.write("locked.py").chmod(0)
    zoo.names += ["locked.py", "Permission denied"]
    bound_by_permissions(zoo)


@state("unreadable folder")
def unreadable_folder(zoo: Zoo) -> None:
    zoo.write("train.py")
    zoo.write("locked/new.py")
    zoo.names += ["locked/", "cannot be read: Permission denied"]
    bound_by_permissions(zoo)
    (zoo.top / "locked").chmod(0)


@state("links: dangling, absolute, to folders")
def links_dangling_absolute_to_folders(zoo: Zoo) -> None:
    (zoo.top / "dangling").symlink_to("nowhere")
    (zoo.top / "absolute").symlink_to("/etc/hostname")
    (zoo.top / "folder").symlink_to("pkg")
    (zoo.top / "loop").symlink_to("loop")


@state("fifo and socket (nothing to capture)")
def fifo_and_socket_nothing_to_capture(zoo: Zoo) -> None:
    zoo.write("train.py")
    os.mkfifo(zoo.top / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        zoo.patch.chdir(zoo.top)
        server.bind("socket")


@state("file replaced by a fifo")
def file_replaced_by_a_fifo(zoo: Zoo) -> None:
    zoo.write("train.py")
    (zoo.top / "notes.txt").unlink()
    os.mkfifo(zoo.top / "notes.txt")
    zoo.names += ["notes.txt"]


@state("names that are not UTF-8, with newline, quote, leading dash, very long")
def names_that_are_not_utf_8_with_newline_quote_leading_dash_very_long(zoo: Zoo) -> None:
    odd = [
        b"caf\xe9.py",
        b"new\nline.py",
        b"quo\"te's.py",
        b"-dash.py",
        b"--help",
        b"tab\t.py",
        b"star*.py",
        b":(top)x.py",
    ]
    for name in [*odd, b" lead.py", b"back\\slash.py", b"n" * 255]:
        Path(os.fsdecode(os.fsencode(zoo.top) + b"/" + name)).write_text("x\n")
        folder = Path(os.fsdecode(os.fsencode(zoo.top) + b"/d-" + name[:200]))
        folder.mkdir()
        (folder / "file.py").write_text("y\n")


@state("very deep path")
def very_deep_path(zoo: Zoo) -> None:
    zoo.write("/".join(["d" * 100] * 20) + "/deep.py")
