"""Floor 6: a run as one HTML page: what is read from its folder, what its weights tell, and the page."""
