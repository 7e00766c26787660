"""The view of a case as a reader of MR knows it: captions, planes, mouse, keys, contours and figures."""
