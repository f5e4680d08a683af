rag config --markdown | head -5
