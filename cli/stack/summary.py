"""What `tripcast up --once` has to say in the end: one JSON document, proofs included."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.stack.once import Drain
from cli.stack.roles import TRIPCAST, Roles
from cli.stack.worker_metrics import scrape
from domain.errors import AuditFailed, PartFailed

PROOF_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Summary:
    """`document` is what is printed; `ok` only when the audit is clean and no prediction differs."""

    document: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether both proofs hold."""
        return bool(self.document["ok"])

    def check(self) -> None:
        """Raises AuditFailed when it is not ok."""
        if not self.ok:
            raise AuditFailed("the audit or the verification found a difference: see `audit` and `verify` of the summary")


def summarise(roles: Roles, drain: Drain, counts: Mapping[str, Any], seconds: float) -> Summary:
    """Prove and count. `seconds`: since `tripcast up` began. Raises PartFailed when a proof cannot be made."""
    reading = scrape(roles.worker_address)
    audit, verify = _ask(roles, ["audit", "--json"]), _ask(roles, ["verify", "--json"])
    ok = audit.get("ok") is True and verify.get("different") == 0
    flow = {"events": drain.events, "drain_seconds": round(drain.seconds, 3), "events_per_second": drain.events_per_second}
    champion = {"version": reading.champion if reading else None}
    return Summary(
        {"ok": ok, "seconds": round(seconds, 3), **flow, **counts, "champion": champion, "audit": audit, "verify": verify}
    )


def _ask(roles: Roles, arguments: Sequence[str]) -> dict[str, Any]:
    """What a reading command answers, in the words that everybody else gets; its exit code is in the answer."""
    answer = subprocess.run(
        [*TRIPCAST, *arguments],
        env=roles.whole_environment(),
        capture_output=True,
        text=True,
        timeout=PROOF_SECONDS,
        check=False,
    )
    try:
        return dict(json.loads(answer.stdout))
    except ValueError as error:
        why = answer.stderr.strip().rpartition("\n")[2]
        raise PartFailed(f"`tripcast {' '.join(arguments)}` gave no answer (exit code {answer.returncode}): {why}") from error
