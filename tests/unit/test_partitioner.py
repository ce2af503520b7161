"""Keys land where every other Kafka client puts them."""

from aiokafka.partitioner import murmur2 as published_murmur2
from hypothesis import given
from hypothesis import strategies as st

from adapters.kafka.partitioner import murmur2, partitions_of


@given(st.lists(st.binary(max_size=70), min_size=1))
def test_the_hash_is_kafkas_for_keys_of_every_length(keys: list[bytes]):
    assert murmur2(keys).tolist() == [published_murmur2(key) for key in keys]


def test_known_values_of_the_java_client():
    keys = [b"21", b"foobar", b"a-little-bit-long-string", b"a-little-bit-longer-string", b"abc"]

    signed = murmur2(keys).astype("int32").tolist()

    assert signed == [-973932308, -790332482, -985981536, -1486304829, 479470107]


def test_partitions_stay_within_their_count():
    keys = [str(number).encode() for number in range(1000)]

    assert set(partitions_of(keys, 6).tolist()) == set(range(6))
    assert partitions_of([], 6).tolist() == []
