"""What runs both ends at once: the demo and the benchmarks. The only part of the package that uses the SDK."""
