"""How documents are found: by words of their texts, by metadata and by likeness, and the indexes for it."""
