"""Changing where voxels are sampled: working order, another grid, 64 slices and back."""
