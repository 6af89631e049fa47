"""Every backbone of timm with feature maps, for dlcreg (Wightman, 2019)."""
