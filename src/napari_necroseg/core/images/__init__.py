"""Images and masks: read from NIfTI and TIFF files, brought onto one grid, and saved."""
