"""Language models out of PyTorch: decoders, encoder-decoders and sentence encoders as ONNX graphs, and their runtime."""
