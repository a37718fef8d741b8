"""What is measured: each metric is a function of judged rows whose docstring is its definition."""

from evaluation.suites.calibration import Calibration
from evaluation.suites.slices import HEADLINES, Slice
from evaluation.suites.suite import METRICS, SuiteResult, examine

__all__ = ["HEADLINES", "METRICS", "Calibration", "Slice", "SuiteResult", "examine"]
