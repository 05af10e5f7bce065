"""Whether files say what their contracts want: which contract a file is of, and field by field what differs."""
