"""Jobs of the docks without Qt and napari: each is a generator of the core's events."""
