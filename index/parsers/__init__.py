"""Turn the bytes of a file into sections: one small module for each kind, listed in `registry`."""
