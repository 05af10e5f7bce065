"""The benchmark: a server's throughput, latencies, memory and context length, measured once and written as evidence."""
