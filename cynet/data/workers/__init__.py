"""The worker processes of a loader, and the memory that they share."""
