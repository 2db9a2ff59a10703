"""Pictures: files of them, folders and lists of files, and what the loader does to them."""
