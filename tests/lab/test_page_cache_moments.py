import pytest

from kfast.lab.page_cache_moments import (
    AT_RANDOM,
    FLUSHED,
    IN_ORDER,
    SIZE,
    THROWN_OUT,
    WRITTEN,
    is_dirty_until_flushed,
    page_cache_moments,
)
from kfast.lab.residency import PAGE_SIZE, Residency
from kfast.lab.unavailable import Unavailable


@pytest.fixture(scope="module")
def moments():
    return page_cache_moments()


def cached(parts):
    return sum(part.cached_pages for part in parts)


def test_each_moment_has_all_of_the_file_or_says_why_not(moments):
    assert list(moments) == [THROWN_OUT, IN_ORDER, AT_RANDOM, WRITTEN, FLUSHED]
    for parts in moments.values():
        assert isinstance(parts, Unavailable) or sum(part.page_count for part in parts) == SIZE // PAGE_SIZE


def test_reading_brings_pages_in_and_writing_makes_them_dirty(moments):
    if any(isinstance(parts, Unavailable) for parts in moments.values()):
        pytest.skip(str(moments[THROWN_OUT]))
    assert cached(moments[IN_ORDER]) > cached(moments[THROWN_OUT])
    assert cached(moments[AT_RANDOM]) > cached(moments[IN_ORDER])
    assert cached(moments[WRITTEN]) > cached(moments[AT_RANDOM])
    assert is_dirty_until_flushed(moments)


def test_what_was_never_dirty_or_stays_so_is_told():
    clean, dirty = [Residency(8, 8, 0, 0)], [Residency(8, 8, 3, 0)]
    assert is_dirty_until_flushed({WRITTEN: dirty, FLUSHED: clean})
    assert not is_dirty_until_flushed({WRITTEN: clean, FLUSHED: clean})
    assert not is_dirty_until_flushed({WRITTEN: dirty, FLUSHED: dirty})
    assert is_dirty_until_flushed({WRITTEN: Unavailable("no cachestat"), FLUSHED: clean})
