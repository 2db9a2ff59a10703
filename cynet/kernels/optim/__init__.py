"""The update steps of the optimisers, each in one pass over memory."""
