"""`make audit`: known vulnerabilities of every locked package, but for those that requirements/accepted.toml accepts.

Runs pip-audit (its path is the argument) against OSV's service. An audit that could not ask about a package has failed: no
answer is not a good answer.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
QUERY = (
    "--vulnerability-service",
    "osv",
    "--disable-pip",
    "--require-hashes",
    "--strict",
    "--progress-spinner",
    "off",
    "--format",
    "json",
)


def accepted(text: str, today: date) -> dict[str, str]:
    """Advisory -> package. Raises ValueError naming an entry that is incomplete or expired."""
    found = {}
    for entry in tomllib.loads(text).get("advisory", []):
        if missing := {"id", "package", "why", "until"} - entry.keys():
            raise ValueError(f"accepted.toml: {entry} lacks {', '.join(sorted(missing))}")
        if entry["until"] < today:
            raise ValueError(
                f"accepted.toml: {entry['id']} ({entry['package']}) was accepted until {entry['until']}; look again"
            )
        found[entry["id"]] = entry["package"]
    return found


def problems(report: Mapping[str, Any], let_pass: Mapping[str, str]) -> list[str]:
    """Sentences about what is wrong, of pip-audit's JSON; an advisory is known by its id and its aliases."""
    found = []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            found.append(f"{package['name']} was not audited: {package['skip_reason']}")
        for fault in package.get("vulns", []):
            if not any(let_pass.get(name) == package["name"] for name in (fault["id"], *fault["aliases"])):
                fixed = ", ".join(fault["fix_versions"]) or "no version yet"
                found.append(f"{package['name']} {package['version']}: {fault['id']}, fixed in {fixed}")
    return found


def audit(program: str, lock: Path) -> Mapping[str, Any]:
    """pip-audit's report about one lock. Raises RuntimeError with its last line when it did not come to one."""
    run = subprocess.run([program, *QUERY, "--requirement", str(lock)], capture_output=True, text=True, check=False)
    try:
        report: Mapping[str, Any] = json.loads(run.stdout)
    except ValueError:
        raise RuntimeError(
            f"pip-audit did not finish with {lock.name}: {run.stderr.strip().rpartition(chr(10))[2][:400]}"
        ) from None
    return report


def main(program: str) -> str | None:
    """What to say when it failed."""
    try:
        let_pass = accepted((REQUIREMENTS / "accepted.toml").read_text(), datetime.now(UTC).date())
        reports = {lock.name: audit(program, lock) for lock in sorted(REQUIREMENTS.glob("*.txt"))}
    except (ValueError, RuntimeError) as error:
        return f"audit: {error}"
    for name, report in reports.items():
        print(f"{name}: {len(report['dependencies'])} packages")  # noqa: T201 - its answer
    found = [f"audit: {name}: {line}" for name, report in reports.items() for line in problems(report, let_pass)]
    return "\n".join(found) or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
