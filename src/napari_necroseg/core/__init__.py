"""The method without a screen: nothing below imports Qt or napari."""
