"""ONNX Runtime: verified models that score."""
