"""What treats each number by itself: activations, dropout, sums, copies."""
