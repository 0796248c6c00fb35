"""What providers do for us; each adapter is the only importer of its SDK."""
