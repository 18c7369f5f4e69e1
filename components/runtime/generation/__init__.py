"""Language models at run time: texts carried on token by token, or turned into vectors, by a bundle's graphs."""
