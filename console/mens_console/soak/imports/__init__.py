"""Results of other load tools, seen like a soak of our own."""
