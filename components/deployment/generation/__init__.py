"""Language models out of PyTorch: decoders and encoder-decoders as graphs with a KV cache, verified and bundled."""
