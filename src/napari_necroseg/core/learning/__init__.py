"""The network and what is done with it; the only part of the core that imports torch."""
