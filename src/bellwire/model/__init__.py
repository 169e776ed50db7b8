"""The nouns: frozen records and typed ids. Depends on nothing of ours but errors."""
