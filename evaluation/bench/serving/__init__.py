"""The service beside other ways to serve the same work: throughput, latency, memory, start, install, overload, and a soak."""
