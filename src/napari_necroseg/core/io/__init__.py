"""Files: reading and writing images, finding and pairing them, the table of a cohort."""
