"""A net within a page of HTML: what it is given, what it answers, and what its first layer sees."""
