"""Reading what a process has counted."""

from prometheus_client.parser import text_string_to_metric_families

from kernel.metrics import Metrics


def value_of(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of one series, by its full name; 0.0 for one that was never touched."""
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0
