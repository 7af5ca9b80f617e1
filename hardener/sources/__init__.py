"""From bytes to documents with exact spans: one module per kind of source."""
