"""Generation health: attempt logs of any size, counted by one mergeable fold and judged by `signals`."""
