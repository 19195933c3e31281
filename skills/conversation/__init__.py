"""A turn of a person -> a Request understood in its thread; and the Answer that comes back."""
