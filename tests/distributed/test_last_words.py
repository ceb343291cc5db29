"""A launcher that is busy when a rank fails must not miss what the rank says."""

import os
import threading
import time

import pytest

from minibert.distributed.last_words import PATIENCE, say_last_words


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with os.fdopen(read) as reader, os.fdopen(write, "w") as writer:
        yield reader, writer


def test_a_rank_stays_until_its_words_are_read(pipe):
    reader, writer = pipe
    rank = threading.Thread(target=say_last_words, args=("the disk has gone", writer))
    rank.start()
    time.sleep(PATIENCE / 5)
    assert rank.is_alive()
    assert reader.readline() == "the disk has gone\n"
    rank.join(PATIENCE / 2)
    assert not rank.is_alive()


def test_its_patience_ends_with_a_launcher_that_does_not_read(pipe):
    reader, writer = pipe
    say_last_words("the disk has gone", writer)
    assert reader.readline() == "the disk has gone\n"
