"""How a finished model behaves: where it is worst, how sure it is, what changes its answers."""
