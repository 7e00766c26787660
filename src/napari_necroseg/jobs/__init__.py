"""Jobs of the docks, without Qt and napari: generators of events around functions of the core."""
