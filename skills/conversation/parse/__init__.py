"""Small parsers, one per field: each reads a turn's text and says what it states."""
