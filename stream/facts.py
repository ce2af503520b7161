"""What the loop has to be told: answers to its requests first, then who is champion, then who shadows."""

from domain.loop.decisions import ChampionChanged, Fact, ShadowChanged
from stream.monitor import Monitor
from stream.monitor_ports import LoopStore, Registered


async def new_facts(monitor: Monitor, store: LoopStore, registered: Registered) -> list[Fact]:
    """Facts that the loop does not know, in the order in which they are told. Raises DatabaseUnreachable.

    Answers are read before the registry is asked: what an answer says has been done is seen there.
    """
    facts = await store.unlearnt()
    serving = await registered()
    if serving is None or serving.champion is None:
        return facts
    if serving.champion != monitor.champion:
        baseline = await store.baseline(serving.champion, serving.run_id)
        rolled_back = monitor.champion is not None and await store.rolled_back(serving.champion)
        facts.append(ChampionChanged(serving.champion, baseline, rolled_back))
    if serving.shadow != monitor.shadow and monitor.began:  # a comparison begins at a minute of event time
        facts.append(ShadowChanged(serving.shadow))
    return facts
