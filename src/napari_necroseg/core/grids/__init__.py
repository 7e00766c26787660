"""Samples voxels elsewhere: in working order, on another grid, on the slices of the network and back."""
