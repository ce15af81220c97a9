"""The queue between network and writer: order, bounds, back-pressure, and connections that ended."""

from __future__ import annotations

import threading

from core.clock import ManualClock, SystemClock
from ingest.batch import Message, MessageQueue


def message(number: int, *, connection: int = 1, size: int = 10) -> Message:
    return Message("t", b"x" * size, 1, number, 0.0, connection)


def take(queue: MessageQueue, size_max: int = 100) -> list[int]:
    return [m.mid for m in queue.take(size_max=size_max, linger_seconds=0, wait_seconds=0)]


def test_batches_keep_the_order_and_the_bound() -> None:
    queue = MessageQueue(ManualClock(), messages_max=10, bytes_max=1000)
    for number in range(5):
        queue.put(message(number))
    assert take(queue, 3) == [0, 1, 2]
    assert take(queue, 3) == [3, 4]
    assert take(queue) == []


def test_a_full_queue_makes_the_giver_wait_and_loses_nothing() -> None:
    queue = MessageQueue(SystemClock(), messages_max=2, bytes_max=1000)
    put = []
    giver = threading.Thread(target=lambda: put.extend(queue.put(message(n)) for n in range(5)))
    giver.start()
    seen: list[int] = []
    while len(seen) < 5:
        seen += [m.mid for m in queue.take(size_max=1, linger_seconds=0, wait_seconds=1.0)]
        assert len(queue) <= 2
    giver.join()
    assert seen == [0, 1, 2, 3, 4]


def test_large_messages_count_by_their_bytes() -> None:
    queue = MessageQueue(SystemClock(), messages_max=100, bytes_max=50)
    queue.put(message(1, size=60))
    waiting = threading.Thread(target=lambda: queue.put(message(2)))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    assert take(queue) == [1]
    waiting.join(2)
    assert take(queue) == [2]


def test_closing_frees_a_waiting_giver_without_taking_its_message() -> None:
    queue = MessageQueue(SystemClock(), messages_max=1, bytes_max=1000)
    queue.put(message(1))
    results: list[bool] = []
    giver = threading.Thread(target=lambda: results.append(queue.put(message(2))))
    giver.start()
    queue.close()
    giver.join(2)
    assert results == [False]


def test_lingering_ends_early_when_nothing_more_comes() -> None:
    clock = ManualClock()
    queue = MessageQueue(clock, messages_max=10, bytes_max=1000)
    queue.put(message(1))
    began = clock.monotonic()
    assert len(queue.take(size_max=10, linger_seconds=4.0, wait_seconds=0)) == 1
    assert clock.monotonic() - began == 1.0
