"""Makes samples with compiled code on the CPU; it needs numba, and only `sample` calls it."""
