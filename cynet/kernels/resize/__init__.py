"""Images of other sizes: nearest and bilinear interpolation, means of so many areas, padding."""
