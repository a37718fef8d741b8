"""What is measured: each metric is a function of judged rows whose docstring is its definition."""

from evaluation.suites.suite import METRICS, Slice, SuiteResult, examine

__all__ = ["METRICS", "Slice", "SuiteResult", "examine"]
