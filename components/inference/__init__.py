"""Inference engines behind one interface: built from ONNX graphs, fingerprinted, never loaded blindly."""
