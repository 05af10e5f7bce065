"""What the box itself answers: NVML, /proc and control groups, for the training side and the console alike."""
