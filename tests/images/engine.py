"""Build the images with what this machine has: Docker, or buildah, which needs no daemon."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.images.compose import ROOT

TAG = "tripcast:images-test"
# What Debian calls the things that the Dockerfile's base has; a stand-in where no registry can be reached.
BASE_PACKAGES = "python3,python3-venv,ca-certificates,tzdata"
ISOLATION = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "hostname": "hostname"}
BASE = "localhost/tripcast-base"
# How this machine's pip reaches its index. Given to the build as mounts, never written into the image.
PIP = ("/etc/pip.conf", "/etc/ssl/certs", "/usr/local/share/ca-certificates")


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built, and its root file system in a folder. `config`: as Docker keeps it."""

    root: Path
    config: dict[str, Any]
    layers_bytes: int


class Engine(Protocol):
    """Something that builds images and can show their files."""

    def build(self) -> None:
        """Build every stage of the Dockerfile: the last one needs them all."""
        ...

    def image(self) -> Image:
        """What was built last, with its files."""
        ...


@dataclass(frozen=True, slots=True)
class Docker:
    """A Docker engine; builds on the very base that the Dockerfile pins."""

    folder: Path

    def build(self) -> None:
        run("docker", "build", "--quiet", "--tag", TAG, str(ROOT))

    def image(self) -> Image:
        root = self.folder / "root"
        root.mkdir()
        container = run("docker", "create", TAG)
        try:
            archive = self.folder / "root.tar"
            run("docker", "export", "--output", str(archive), container)
            run("tar", "--extract", "--numeric-owner", "--same-permissions", f"--file={archive}", f"--directory={root}")
            archive.unlink()
        finally:
            run("docker", "rm", container)
        found = json.loads(run("docker", "image", "inspect", TAG))[0]
        return Image(root, found["Config"], found["Size"])


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with storage of its own, without a daemon; as root, on a base that mmdebstrap makes."""

    folder: Path

    def build(self) -> None:
        if not self._has(BASE):
            self._make_base()
        mounts = [f"--volume={path}:{path}:ro" for path in PIP if Path(path).exists()]
        where = ["--isolation=chroot", "--network=host", "--format=docker", f"--build-arg=BASE={BASE}"]
        self._buildah("bud", *where, *mounts, f"--tag={TAG}", str(ROOT))

    def image(self) -> Image:
        container = self._buildah("from", "--pull-never", TAG)
        found = json.loads(self._buildah("inspect", "--type=image", TAG))
        listed = json.loads(self._buildah("images", "--json", TAG))
        return Image(Path(self._buildah("mount", container)), found["Docker"]["config"], _bytes(listed[0]["size"]))

    def _make_base(self) -> None:
        archive = self.folder / "base.tar"
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", str(archive))
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(archive), "/")
        self._buildah("commit", "--quiet", "--rm", container, BASE)
        archive.unlink()

    def _has(self, name: str) -> bool:
        return any(name in (each["names"] or [""])[0] for each in json.loads(self._buildah("images", "--json")))

    def _buildah(self, *words: str) -> str:
        storage = ["--storage-driver=vfs", f"--root={self.folder / 'storage'}", f"--runroot={self.folder / 'run'}"]
        return run("buildah", *storage, *words)


def engine(folder: Path) -> Engine:
    """Docker where it answers, else buildah. Ends the process with a sentence where neither is there."""
    _need(ISOLATION, "images-test gives each role files, processes and a network of its own")
    if os.geteuid() != 0:
        sys.exit("images-test needs root: it gives each role files, processes and a network of its own")
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return Docker(folder)
    _need({"buildah": "buildah", "mmdebstrap": "mmdebstrap"}, "images-test needs Docker or buildah")
    return Buildah(folder)


def _need(packages: Mapping[str, str], why: str) -> None:
    missing = sorted({package for program, package in packages.items() if shutil.which(program) is None})
    if missing:
        sys.exit(f"{why}: `apt-get install {' '.join(missing)}`")


def run(*command: str) -> str:
    """What the command printed. Raises CalledProcessError, having shown what it complained of."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
        done.check_returncode()
    return done.stdout.strip()


def environment_of(image: Image) -> dict[str, str]:
    """The variables that the image sets."""
    pairs: Sequence[str] = image.config["Env"]
    return dict(pair.split("=", 1) for pair in pairs)


def _bytes(size: str) -> int:
    number, unit = size.split()
    return int(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])
