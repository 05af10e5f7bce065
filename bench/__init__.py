"""What the console costs, beside the programs it is compared with, measured in one run on this machine.

Benchmarks only look: nothing of the product may import from here.
"""
