"""The exercises, a file each: holes, what they are tried with, twins, mistakes. Their texts lie in
../texts."""
