"""Trained models as files that other programs run: ONNX, and programs of torch.export."""
