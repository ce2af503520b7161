"""`make images-test`: build the images, then run the system of docker-compose.yml from them, each service in a cell of its own.

The tests run in a network of their own, with the compose file's names and ports: whatever else runs here is not in the way.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cli.embedded.kafka_jars import ensure_jars
from tests.images.cell import BRIDGE, NETWORK
from tests.images.compose import ROOT
from tests.images.engine import engine

NAMES = {"kafka": 1, "postgres": 1, "mlflow": 10, "trainer": 13, "canary": 16, "api": 14, "board": 15}
WORKERS = (11, 12)  # one name, two addresses
# The bridge has an address of its own: with one borrowed from its ports it changes when a cell comes or goes, and the others
# talk to nobody until they notice.
START = """
set -e
mount --bind "$1" /etc/hosts
ip link set lo up
ip link add {bridge} address 02:00:00:00:00:01 type bridge; ip address add {network}.1/24 dev {bridge}; ip link set {bridge} up
shift
exec "$@"
"""


def main(arguments: list[str]) -> int:
    """Exit code of the tests."""
    folder = Path(tempfile.mkdtemp(prefix="tripcast-images-"))
    try:
        began = time.monotonic()
        builder = engine(folder)
        builder.build()
        ensure_jars()  # of the broker; the tests have no way out
        image = builder.image()
        seconds = time.monotonic() - began
        sys.stdout.write(f"built with {type(builder).__name__} in {seconds:.0f} s\n")
        about = {"root": str(image.root), "config": image.config, "bytes": image.layers_bytes, "seconds": seconds}
        (folder / "image.json").write_text(json.dumps(about))
        return _test(folder, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _test(folder: Path, arguments: list[str]) -> int:
    folder.chmod(0o755)
    hosts = folder / "hosts"
    places = [*NAMES.items(), *(("worker", host) for host in WORKERS)]
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{NETWORK}.{host} {name}\n" for name, host in places))
    script = START.format(bridge=BRIDGE, network=NETWORK)
    isolate = ["unshare", "--net", "--mount", "bash", "-c", script, "images", str(hosts)]
    tests = [
        sys.executable,
        "-m",
        "pytest",
        str(ROOT / "tests" / "images"),
        f"--basetemp={folder / 'pytest'}",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run([*isolate, *tests, *arguments], env={**os.environ, "IMAGES": str(folder)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
