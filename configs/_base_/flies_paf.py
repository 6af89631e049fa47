# Two heads for the two flies: part affinity fields that find them, and identities that tell them
# apart. The config that inherits this says which class the first of them is.
_base_ = "flies.py"

model = dict(
    head=dict(
        pose=dict(
            codec=dict(
                type="PartAffinityFields",
                num_individuals=2,
                graph="skeleton",
                heatmap="gaussian",
                radius=6.0,
                width=5.0,
                anchor="centre",
                min_peak=0.001,  # the animals share the softmax of a map
                min_score=0.005,
            ),
            losses=dict(
                heatmap=dict(type="SpatialCrossEntropyLoss"),
                locref=dict(type="HuberLoss", weight=2.0),
                paf=dict(type="HuberLoss", weight=100.0),
            ),
        ),
        identity=dict(
            type="HeatmapHead",
            codec=dict(type="IdentityMaps", radius=6.0),
            losses=dict(identity=dict(type="BCELoss", weight=10.0)),
        ),
    )
)
