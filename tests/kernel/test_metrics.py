import pytest

from kernel.metrics import Metrics
from tests.support.metrics import value_of


def test_what_is_counted_is_exposed(metrics):
    metrics.counter("kernel_things_total", "Things.", ["kind"]).labels("a").inc(2)
    metrics.gauge("kernel_age_seconds", "Age.").set(1.5)
    metrics.histogram("kernel_length_seconds", "Length.", buckets=[1, 2]).observe(1.5)

    assert value_of(metrics, "kernel_things_total", kind="a") == 2
    assert value_of(metrics, "kernel_age_seconds") == 1.5
    assert value_of(metrics, "kernel_length_seconds_bucket", le="1.0") == 0
    assert value_of(metrics, "kernel_length_seconds_bucket", le="2.0") == 1


def test_what_one_thread_counts_counts_with_the_rest(metrics):
    counter = metrics.counter("kernel_things_total", "Things.", ["kind"]).labels("a")
    local = metrics.local_counter(counter)
    local.count += 2
    counter.inc()

    assert value_of(metrics, "kernel_things_total", kind="a") == 3
    local.count += 1
    assert value_of(metrics, "kernel_things_total", kind="a") == 4
    assert value_of(metrics, "kernel_things_total", kind="a") == 4


def test_asking_for_a_name_again_gives_the_same_one(metrics):
    assert metrics.counter("a_total", "A.") is metrics.counter("a_total", "A.")


def test_a_name_has_one_kind(metrics):
    metrics.counter("a", "A.")

    with pytest.raises(ValueError, match="Counter already"):
        metrics.gauge("a", "A.")


def test_two_processes_in_one_test_count_apart():
    one, two = Metrics(), Metrics()
    one.counter("a_total", "A.").inc()

    assert value_of(two, "a_total") == 0
