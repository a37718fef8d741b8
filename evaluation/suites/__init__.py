"""What is measured: each metric is a function of judged rows whose docstring is its definition.

Shares, F1, calibration errors and confidences are numbers from 0 to 1; times are milliseconds. A metric never raises: where no row
counts for it, its Measure has the value None and n 0. What draws quantiles (``latency``, ``histogram``) needs a row, else ValueError.
"""

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
