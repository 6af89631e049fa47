# Several animals in a whole image: discs of ones, location refinement and part affinity fields of
# the complete graph, with the losses of DeepLabCut (Lauer et al., 2022).
model = dict(
    head=dict(
        codec=dict(type="PartAffinityFields"),
        losses=dict(
            heatmap=dict(type="BCELoss"),
            locref=dict(type="HuberLoss", weight=0.05),
            paf=dict(type="HuberLoss", weight=0.1),
        ),
    )
)
