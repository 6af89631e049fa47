"""Optimizers without a learning-rate schedule, for dlcreg (Defazio et al., 2024)."""
