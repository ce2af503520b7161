"""The latest builds of the continuous integration, asked of a forge's REST API."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from domain.errors import Unreachable
from schemas.http.health import Build, Builds

SECONDS = 3.0
SHOWN = 10
OK = 200
HINT = (
    "Set TRIPCAST_CI_ADDRESS (base address of the forge's REST API), TRIPCAST_CI_REPOSITORY (owner/name) and, for a private "
    "repository, TRIPCAST_CI_TOKEN to see the latest builds here."
)
Get = Callable[[str, float, Mapping[str, str]], Awaitable[tuple[int, str]]]


class _Run(msgspec.Struct):
    """One workflow run, as GitHub's REST API and those made after it tell of it."""

    name: str = ""
    status: str = ""
    conclusion: str | None = None
    head_branch: str | None = None
    head_sha: str = ""
    created_at: Annotated[datetime, msgspec.Meta(tz=True)] = datetime(1970, 1, 1, tzinfo=UTC)
    html_url: str = ""


class _Runs(msgspec.Struct):
    workflow_runs: list[_Run] = []


async def latest_builds(get: Get, address: str, repository: str, token: str | None) -> Builds:
    """Without a repository, or when the forge does not answer: none, and a hint."""
    if not (address and repository):
        return Builds(builds=[], hint=HINT)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        status, text = await get(f"{address.rstrip('/')}/repos/{repository}/actions/runs?per_page={SHOWN}", SECONDS, headers)
        runs = msgspec.json.decode(text, type=_Runs).workflow_runs if status == OK else None
    except (Unreachable, msgspec.MsgspecError):
        return Builds(builds=[], hint="The forge does not answer, or not as expected: see TRIPCAST_CI_ADDRESS.")
    if runs is None:
        return Builds(
            builds=[], hint=f"The forge answers with status {status}: see TRIPCAST_CI_REPOSITORY and TRIPCAST_CI_TOKEN."
        )
    return Builds(builds=[_build(run) for run in runs[:SHOWN]], hint=None if runs else "There is no build yet.")


def _build(run: _Run) -> Build:
    return Build(
        name=run.name,
        status=run.status,
        conclusion=run.conclusion,
        branch=run.head_branch or "",
        commit=run.head_sha[:12],
        at=run.created_at,
        url=run.html_url,
    )
