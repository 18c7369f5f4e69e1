"""`lianzi sweep`: a search for parameters, each trial in a work tree of its own that shares DVC's cache."""
