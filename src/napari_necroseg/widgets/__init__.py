"""Docks of the napari plugin: thin forms over the jobs of the core."""
