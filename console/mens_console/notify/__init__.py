"""What leaves the box: alerts as messages, with a log of every delivery."""
