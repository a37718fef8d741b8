"""The engine that serves, run against known answers: suites, gates and a report."""
