"""The gate: evidence in, a verdict by criterion out, and a signed record of what a person decided on it."""
