"""Residual log-likelihood regression for dlcreg (Li et al., 2021)."""
