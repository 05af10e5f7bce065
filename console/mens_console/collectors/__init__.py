"""The training side: what a trainer calls to write what the console reads. Torch is imported only when used."""
