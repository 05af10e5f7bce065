"""The soak: hours of load on a server, written by a driver of its own, read by everybody else."""
