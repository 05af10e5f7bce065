"""The command line: one module a command, each loaded only when it is asked for.

Commands read snapshots and print; they parse no run files and judge nothing themselves.
"""
