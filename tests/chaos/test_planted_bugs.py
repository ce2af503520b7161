"""The checker is proven on workers with bugs: each meets the fault that its bug cannot stand, and is found out.

The same faults do nothing to the worker as it is.
"""

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import AT_ONCE, in_turn, send
from tests.running import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]
KILLED, ENDED = "kill@between", "end@in_transaction"
WITHOUT_KEYS = """
do $$ declare it record; begin
    for it in select conrelid::regclass as place, conname from pg_constraint where contype in ('p', 'u') and conparentid = 0
            and conrelid::regclass::text in ('trips', 'completions', 'predictions') loop
        execute format('alter table %s drop constraint %I cascade', it.place, it.conname);
    end loop;
    for it in select indexrelid::regclass as name from pg_index
            where indisunique and indrelid::regclass::text in ('trips', 'completions', 'predictions') loop
        execute format('drop index if exists %s', it.name);
    end loop;
end $$
"""


@pytest.mark.parametrize(
    ("bug", "fault", "named"),
    [
        ("acknowledge_before_write", KILLED, {"lost", "gap"}),
        ("drop_on_retry", ENDED, {"lost", "gap"}),
        ("commit_on_error", ENDED, {"lost", "gap"}),
        ("insert_again", KILLED, {"twice"}),
        ("", "kill@in_transaction", set()),
        ("", ENDED, set()),
    ],
)
async def test_the_checker_names_what_a_bug_has_done(world: World, bug: str, fault: str, named: set[str]) -> None:
    if bug == "insert_again":
        await world.rows(WITHOUT_KEYS)
    journal = Journal()
    await send(world.kafka, f"{world.prefix}trip-events", in_turn(600, seed=8), journal, AT_ONCE)
    faulty = world.start_worker(TEST_BUG=bug, TEST_FAULT=fault, TRIPCAST_WORKER_BATCH="200")
    if fault.startswith("kill"):
        assert await faulty.ended() == -9
        world.start_worker(TEST_BUG=bug, TRIPCAST_WORKER_GROUP="another")  # need not wait until the group misses the dead one
    await world.drained()
    assert {violation.partition(":")[0] for violation in await verdict(world, journal)} == named
