"""The dock Augmentation preview and its parts."""
