"""Product KPIs: records of generation and benchmarks, read and summed up by model."""
