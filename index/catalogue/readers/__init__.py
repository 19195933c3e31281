"""Files of other tools, and our own CSV form, turned into facts and figures: one reader a file, tried by kind."""
