"""What the API needs and what it merely uses: noted by whoever looks at it, told by `/health` and `/readyz`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.http.health import Check

NEEDED = ("database", "champion", "prediction_log")  # without these it cannot serve
USED = ("broker", "registry", "worker")


@dataclass(slots=True)
class Checks:
    """The latest word on each; at first none is well, for nobody has looked."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _checks: dict[str, Check] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*NEEDED, *USED):
            self.note(name, ok=False, detail="not looked at yet")

    def note(self, name: str, *, ok: bool, detail: str = "") -> None:
        """How it is now; `since` tells when that changed."""
        now, before = self.now(), self._checks.get(name)
        since = before.since if before is not None and before.ok == ok else now
        self._checks[name] = Check(name=name, ok=ok, needed=name in NEEDED, detail=detail, since=since, checked_at=now)

    def all(self) -> list[Check]:
        """Every check, needed ones first."""
        return [self._checks[name] for name in sorted(self._checks, key=lambda name: name not in NEEDED)]

    def get(self, name: str) -> Check:
        """One of them."""
        return self._checks[name]

    def parts(self) -> dict[str, bool]:
        """Whether each is well."""
        return {check.name: check.ok for check in self.all()}

    def missing(self) -> dict[str, str]:
        """What is needed and not there, and why."""
        return {check.name: check.detail for check in self.all() if check.needed and not check.ok}

    def degraded(self) -> dict[str, str]:
        """What is used and not there, and why."""
        return {check.name: check.detail for check in self.all() if not check.needed and not check.ok}
