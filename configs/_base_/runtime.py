# How a model is trained and measured; every config inherits this.
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-3),
    max_epochs=90,
    metrics=[
        dict(type="PixelError", pcutoff=0.6),
        dict(type="PCK"),
        dict(type="AUC"),
        dict(type="CocoOKS"),
    ],
    checkpoint_interval=10,
    seed=42,
)
evaluation = dict(pcutoff=0.6, pictures=6)
