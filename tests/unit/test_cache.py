"""A bounded cache: what was used longest ago goes first, and digests stand for texts."""

from __future__ import annotations

from threading import Barrier, Thread

from yingda.cache import Cache, CacheInfo, Digests


def test_what_is_kept_is_found_and_counted() -> None:
    cache = Cache[str](2)
    cache.keep({"a": "1"})

    assert cache.find(["a", "b", "a"]) == ["1", None, "1"]
    assert cache.info() == CacheInfo(hits=2, misses=1, entries=1, size=2)


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = Cache[str](2)
    cache.keep({"a": "1", "b": "2"})
    cache.get("a")
    cache.keep({"c": "3"})

    assert cache.find(["a", "b", "c"]) == ["1", None, "3"]


def test_a_size_of_zero_keeps_nothing() -> None:
    cache = Cache[str](0)
    cache.keep({"a": "1"})

    assert cache.is_off
    assert cache.get("a") is None
    assert cache.info().entries == 0


def test_more_than_fits_leaves_the_last() -> None:
    cache = Cache[int](3)
    cache.keep({n: n for n in range(10)})

    assert cache.find(range(10)) == [None] * 7 + [7, 8, 9]


def test_threads_together_never_exceed_the_bound_and_count_every_look() -> None:
    cache, together, looks = Cache[int](8), Barrier(4), 500

    def work(seed: int) -> None:
        together.wait()
        for n in range(looks):
            key = (seed + n) % 20
            found = cache.get(key)
            assert found is None or found == key
            cache.keep({key: key})

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    info = cache.info()
    assert info.hits + info.misses == 4 * looks
    assert info.entries <= info.size


def test_a_digest_is_of_one_text_and_one_key() -> None:
    one, other = Digests(), Digests()

    assert one.of("退货") == one.of("退货")
    assert one.of("退货") != one.of("退款")
    assert one.of("退货") != other.of("退货")
    assert len(one.of("\ud83d lone surrogates too")) == 16


def test_a_cleared_cache_finds_nothing_and_goes_on() -> None:
    cache = Cache[str](2)
    cache.keep({"a": "1"})
    cache.clear()
    cache.keep({"b": "2"})

    assert cache.find(["a", "b"]) == [None, "2"]
