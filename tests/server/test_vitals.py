"""What a process says it uses."""

import time

from server.vitals import Vitals


def test_the_share_of_a_processor_counts_from_the_last_time_somebody_asked(clock):
    vitals = Vitals(clock)
    began = time.process_time()
    while time.process_time() < began + 0.1:
        pass
    clock.move(seconds=1)

    busy = vitals()["cpu_percent"]
    clock.move(seconds=100)
    idle = vitals()["cpu_percent"]

    assert 9 <= busy <= 100
    assert 0 <= idle < busy


def test_who_asks_twice_at_once_is_told_of_nothing(clock):
    assert Vitals(clock)()["cpu_percent"] == 0.0


def test_a_python_process_needs_some_memory(clock):
    assert 5_000_000 < Vitals(clock)()["rss_bytes"] < 10_000_000_000
