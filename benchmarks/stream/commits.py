"""The rate of commits, told by PostgreSQL's own commit times and not by the process that is measured."""

from datetime import datetime

from benchmarks.world import World


async def commit_rate(world: World, *queries: str) -> float:
    """Events per second between the first and the last commit: start-up counts for nobody.

    Each query gives (committed_at, number of events) per transaction.
    """
    commits: dict[datetime, int] = {}
    for query in queries:
        for row in await world.fetch(query):
            commits[row[0]] = commits.get(row[0], 0) + row[1]
    moments = sorted(commits)
    seconds = (moments[-1] - moments[0]).total_seconds()
    return sum(commits[moment] for moment in moments[1:]) / float(seconds)
