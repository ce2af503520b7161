"""Scaled workers: a name with several addresses means all of them, for the figures and for the page System."""

from collections.abc import Sequence

import pytest

from adapters.web.names import addresses_of
from api.reads.instances import LOOK_UP_SECONDS, Instances
from api.reads.roles import Role, statuses
from api.reads.sampler import Sampler
from domain.errors import Unreachable
from stream.metrics import Metrics
from tests.fakes.sources import World


class Names:
    """A resolver whose answers a test sets; None: it knows the name no more."""

    def __init__(self, **hosts: list[str] | None) -> None:
        self.hosts, self.asked, self.now = hosts, 0, 0.0

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked += 1
        found = self.hosts.get(host)
        if found is None:
            raise Unreachable(f"no address of {host} is known")
        return found

    def instances(self, *names: str) -> Instances:
        return Instances(names, self.resolve, lambda: self.now)

    def later(self) -> None:
        self.now += LOOK_UP_SECONDS


async def test_a_name_with_several_addresses_means_all_of_them() -> None:
    names = Names(worker=["10.0.0.4", "10.0.0.3"], other=["10.0.0.9"])
    found = await names.instances("http://worker:8081", "http://other:8081")()
    assert found == ["http://10.0.0.3:8081", "http://10.0.0.4:8081", "http://other:8081"]


async def test_scaling_up_and_down_shows_within_one_look_up() -> None:
    names = Names(worker=["10.0.0.3"])
    instances = names.instances("http://worker:8081")
    assert await instances() == ["http://worker:8081"]
    names.hosts["worker"] = ["10.0.0.3", "10.0.0.4", "10.0.0.5"]
    assert await instances() == ["http://worker:8081"]  # between two look-ups nobody is asked
    assert names.asked == 1
    names.later()
    assert len(await instances()) == 3
    names.hosts["worker"] = ["10.0.0.5"]
    names.later()
    assert await instances() == ["http://worker:8081"]


async def test_a_resolver_that_fails_takes_no_worker_away() -> None:
    names = Names(worker=["10.0.0.3", "10.0.0.4"])
    instances = names.instances("http://worker:8081")
    before = await instances()
    names.hosts["worker"] = None
    names.later()
    assert await instances() == before


@pytest.mark.parametrize("address", ["http://127.0.0.1:8081", "http://[::1]:8081", "https://worker:8443", "http://worker:no"])
async def test_what_names_one_place_is_left_alone(address: str) -> None:
    names = Names(worker=["10.0.0.3", "10.0.0.4"])
    assert await names.instances(address)() == [address]
    assert names.asked == 0


async def test_addresses_of_ipv6_get_their_brackets() -> None:
    names = Names(worker=["fd00::1", "fd00::2"])
    assert await names.instances("http://worker:8081")() == ["http://[fd00::1]:8081", "http://[fd00::2]:8081"]


async def test_the_machine_is_asked_for_one_family_only() -> None:
    assert await addresses_of("localhost") == ["127.0.0.1"]  # never the same process twice, as ::1 too
    with pytest.raises(Unreachable, match="no address of nobody"):
        await addresses_of("nobody.invalid")


async def test_every_instance_is_a_role_of_its_own_on_the_page_system() -> None:
    async def get(address: str, _seconds: float) -> tuple[int, str]:
        if "10.0.0.4" in address:
            raise Unreachable("away")
        return 200, ""

    names = Names(worker=["10.0.0.3", "10.0.0.4"])
    roles = [Role(get, "worker", "W", names.instances("http://worker:8081")), Role(get, "trainer", "T", names.instances())]
    found = await statuses(roles)
    assert [(each.name, each.address, each.up) for each in found] == [
        ("worker", "http://10.0.0.3:8081", True),
        ("worker", "http://10.0.0.4:8081", False),
        ("trainer", None, None),
    ]


async def test_the_figures_add_up_all_workers_also_those_that_come_later() -> None:
    world = World(workers=["http://a"])
    sampler = world.sampler()
    await world.after(0.5, sampler)
    world.workers, world.others["http://b"] = ["http://a", "http://b"], Metrics()
    await world.after(0.5, sampler)
    world.metrics._scored.inc(10)
    world.others["http://b"]._scored.inc(30)
    await world.after(0.5, sampler)
    assert _scored(world, sampler) == 40
    world.workers = ["http://b"]
    world.metrics._scored.inc(1000)  # of a worker that is no longer ours
    await world.after(0.5, sampler)
    assert _scored(world, sampler) == 40
    assert list(sampler.look.readings) == ["http://b"]


def _scored(world: World, sampler: Sampler) -> float:
    return float(sampler.memory.seconds.all().total("scored") + sampler.memory.slot(world.now.timestamp()).scored)
