"""A program that doubles a number."""

import sys

print(int(sys.argv[1]) * 2)
