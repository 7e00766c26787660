"""The table of cases: found in folders of images, checked, read and written."""
