"""Networks out of ONNX files, as modules that the operator tracer follows like any other."""
