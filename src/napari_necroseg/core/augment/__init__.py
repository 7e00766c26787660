"""Training samples: all randomness in `draw`, all arithmetic in `sample`, with one resampling."""
