"""Tables of configurations: planned, run, resumed and tabulated."""
