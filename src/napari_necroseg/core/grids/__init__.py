"""Changing where voxels are sampled: working order, another grid, the network's slices and back."""
