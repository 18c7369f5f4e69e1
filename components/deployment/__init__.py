"""From a trained classifier to a folder that answers: ONNX, int8, engines, the bundle."""
