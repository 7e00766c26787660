"""Training samples: all randomness in `draw`, all arithmetic in `sample`, in one resampling."""
