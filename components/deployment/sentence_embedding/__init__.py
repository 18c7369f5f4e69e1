"""Sentence encoders out of PyTorch: the modules of a folder as one graph, compared with what its own library makes."""
