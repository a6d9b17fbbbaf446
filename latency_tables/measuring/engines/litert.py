"""LiteRT, formerly TensorFlow Lite: runs a .tflite file, on the CPU with XNNPACK."""

from __future__ import annotations

from latency_tables.measuring.engines.model_format import ModelFormat
from latency_tables.measuring.engines.tflite import write_tflite

LITERT = ModelFormat("litert", "LiteRT", ("ai_edge_litert", "flatbuffers"), write_tflite)
