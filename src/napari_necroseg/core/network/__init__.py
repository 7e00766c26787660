"""The network: its layers, losses, devices, files, and the images that it sees."""
