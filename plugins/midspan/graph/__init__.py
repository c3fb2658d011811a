"""Cutting ONNX graphs into blocks."""
