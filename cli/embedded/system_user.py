"""Run a program as another system user: PostgreSQL refuses to run as root, as it should."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from domain.errors import PartFailed

CANDIDATES = ("postgres", "tripcast")  # the first that exists; the last is created when none does


def as_unprivileged() -> list[str]:
    """What to put before a command so that it does not run as root; nothing when we are not root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PartFailed("as root the embedded PostgreSQL needs `setpriv` (package util-linux); or start as another user")
    user = _user()
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def give_to_unprivileged(folder: Path) -> None:
    """Make `folder` belong to the user that the program runs as, and reachable for it. Does nothing when we are not root."""
    if os.geteuid() != 0:
        return
    user = _user()
    os.chown(folder, user.pw_uid, user.pw_gid)
    make_reachable(folder)


def make_reachable(path: Path) -> None:
    """Let everybody pass through the folders above `path`, not list them. Does nothing when we are not root."""
    if os.geteuid() != 0:
        return
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _user() -> pwd.struct_passwd:
    for name in CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", CANDIDATES[-1]]
    created = subprocess.run(command, capture_output=True, text=True, check=False)
    if created.returncode:
        raise PartFailed(f"no system user to run PostgreSQL as, and none could be created: {created.stderr.strip()}")
    return pwd.getpwnam(CANDIDATES[-1])
