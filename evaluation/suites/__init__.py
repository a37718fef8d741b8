"""What is measured: each metric is a function of judged rows whose docstring is its definition."""

from evaluation.suites.calibration import Calibration
from evaluation.suites.confusion import Confusion, confusion_json
from evaluation.suites.latency import Latency, latency_json
from evaluation.suites.slices import HEADLINES, Slice
from evaluation.suites.suite import METRICS, SuiteResult, examine

__all__ = [
    "HEADLINES",
    "METRICS",
    "Calibration",
    "Confusion",
    "Latency",
    "Slice",
    "SuiteResult",
    "confusion_json",
    "examine",
    "latency_json",
]
