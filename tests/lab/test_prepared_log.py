import os
import warnings

import pytest

import kfast
from kfast.lab.prepared_log import ELSEWHERE, PreparedLog
from kfast.lab.residency import cached_share
from kfast.lab.unavailable import Unavailable

RECORD_COUNT = 2500
SHAPE = {"batch_records": 100, "record_size": 1024, "record_count": RECORD_COUNT}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with kfast.Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def test_it_holds_what_was_asked_for_and_none_of_it_waits_to_be_written(broker):
    configs = {"segment.bytes": str(1 << 20)}
    log = PreparedLog(broker.bootstrap_servers, "old", broker.data_dir, **SHAPE, configs=configs)
    assert broker.log("old", 0).log_end_offset == RECORD_COUNT
    sizes = log.with_files(lambda fd: os.fstat(fd).st_size)
    assert len(sizes) == 3
    assert sum(sizes) > RECORD_COUNT * 1024
    pages = log.pages()
    assert isinstance(pages, Unavailable) or (pages.is_warm, pages.dirty_pages) == (True, 0)
    assert isinstance(pages, Unavailable) or cached_share([pages]) == 1


def test_one_on_another_machine_has_no_files(broker):
    log = PreparedLog(broker.bootstrap_servers, "far", None, **SHAPE)
    assert broker.log("far", 0).log_end_offset == RECORD_COUNT
    assert log.with_files(os.fstat) == []
    assert log.pages() == cached_share([log.pages()]) == ELSEWHERE


def test_its_connection_is_closed_and_not_left_to_the_garbage_collector(broker):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        PreparedLog(broker.bootstrap_servers, "closed", broker.data_dir, **SHAPE)
    assert not caught
