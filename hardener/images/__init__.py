"""Images: where they lie, what they say of themselves, and their layers as folders."""
