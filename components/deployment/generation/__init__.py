"""Language models out of PyTorch: decoders, encoder-decoders and sentence encoders as graphs, proved and bundled."""
