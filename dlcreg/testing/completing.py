"""The checks of codecs that complete poses: what they learn of labels they say of poses again."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dlcreg.contracts import CompletingCodec, Size
from dlcreg.structures import Instances, Poses
from dlcreg.testing.results import fail, skip
from dlcreg.testing.samples import cloned, difference, ideal_outputs, labels, poses
from dlcreg.testing.subject import Subject

_ANIMALS = 2


def animals(size: Size, images: int = 4) -> Instances:
    """Return labels of two animals an image, which are another one from image to image."""
    instances = labels(poses(size, images, _ANIMALS, margin=min(size) / 8))
    turned = torch.arange(images)[:, None] % _ANIMALS
    return replace(instances, ids=(instances.ids + turned) % _ANIMALS)


def as_poses(instances: Instances) -> Poses:
    """Return labels as poses: what has no label was not found."""
    known = (instances.visibility > 0) & instances.valid[..., None]
    return Poses(
        keypoints=instances.keypoints.masked_fill(~known[..., None], torch.nan),
        scores=known.to(instances.keypoints.dtype),
        instance_scores=known.to(instances.keypoints.dtype).mean(dim=-1),
        valid=instances.valid,
    )


def disagreement(found: Poses, instances: Instances) -> float:
    """Return how many pixels completed poses are beside the labels they were learnt from.

    Unique body parts are off by pixels, an animal that is taken for another one infinitely; of what
    else there is to complete nothing can be said: 0.
    """
    apart = [torch.zeros(())]
    known = instances.valid & (instances.ids >= 0)
    if found.identities is not None and bool((found.identities != instances.ids)[known].any()):
        apart.append(torch.full((), torch.inf))
    if found.unique is not None and instances.unique is not None:
        offsets = (found.unique.keypoints - instances.unique.keypoints).norm(dim=-1)
        apart.append(offsets[instances.unique.visibility > 0].max().nan_to_num(torch.inf))
    return float(torch.stack(apart).max())


def _codec(subject: Subject) -> CompletingCodec:
    codec = subject.build()
    if not isinstance(codec, CompletingCodec):
        skip("it finds poses, and completes none")
    return codec


def _outputs(subject: Subject, codec: CompletingCodec, instances: Instances) -> dict[str, Tensor]:
    size = subject.options.size
    return ideal_outputs(subject, codec.encode(instances, size))


def completes_poses(subject: Subject) -> str:
    """complete(encode(k)) adds to the poses k what was learnt of them."""
    codec, size = _codec(subject), subject.options.size
    instances = animals(size)
    given = as_poses(instances)
    found = codec.complete(given, _outputs(subject, codec, instances), size)
    apart = disagreement(found, instances)
    if not apart <= subject.options.tolerance:
        fail(
            "takes an animal for another one"
            if apart == float("inf")
            else f"finds unique body parts {apart:.3g} px beside their labels",
            "what perfect outputs say: they were drawn from these labels",
            "See that encode and complete speak of the same individuals and cells",
        )
    added = [
        name
        for name, value in vars(found).items()
        if value is not None and value is not getattr(given, name)
    ]
    if not added:
        fail("gives the poses back as they were", "poses with more known of them", "See complete")
    return f"adds {', '.join(added)}"


def completes_anything(subject: Subject) -> str:
    """Images without a pose, rows of padding and keypoints that were not found are taken, too."""
    codec, size = _codec(subject), subject.options.size
    instances = animals(size)
    outputs = _outputs(subject, codec, instances)
    whole = as_poses(instances)
    padded = replace(whole, valid=torch.tensor([[True, False]]).expand(len(whole), 2).clone())
    lost = replace(
        whole,
        keypoints=torch.full_like(whole.keypoints, torch.nan),
        scores=torch.zeros_like(whole.scores),
    )
    empty = Poses(
        whole.keypoints[:, :0],
        whole.scores[:, :0],
        whole.instance_scores[:, :0],
        whole.valid[:, :0],
    )
    cases = {"no pose": empty, "padding": padded, "keypoints that were not found": lost}
    for what, given in cases.items():
        found = codec.complete(given, outputs, size)
        if found.keypoints.shape != given.keypoints.shape:
            fail(
                f"turns keypoints of {tuple(given.keypoints.shape)} into "
                f"{tuple(found.keypoints.shape)} where there is {what}",
                "as many animals as before",
                "Leave out by `valid`, not by fewer rows",
            )
        gone = ~given.valid
        if found.identities is not None and not (found.identities[gone] == -1).all():
            fail("gives a row of padding an identity", "-1 there", "See Poses.valid")
    return f"{', '.join(cases)} are borne"


def completes_flipped(subject: Subject) -> str:
    """Outputs of mirrored images, given to `flip`, complete the poses of the images."""
    codec, size = _codec(subject), subject.options.size
    instances = animals(size)
    twins = torch.tensor([0, 2, 1, 3])
    keypoints = instances.keypoints[:, :, twins].clone()
    keypoints[..., 0] = size[1] - 1 - keypoints[..., 0]
    mirrored = replace(instances, keypoints=keypoints)
    try:
        outputs = codec.flip(_outputs(subject, codec, mirrored), twins)
    except NotImplementedError:
        skip("it offers no flip test")
    found = codec.complete(as_poses(instances), outputs, size)
    if found.identities is not None and disagreement(replace(found, unique=None), instances):
        fail(
            "takes an animal for another one in a mirror image",
            "the same: individuals have no left and right",
            "Mirror the maps, and leave the channels of individuals in their order",
        )
    return "the same in mirror images"


def leaves_given_poses(subject: Subject) -> str:
    """The poses that it is given are not changed in place."""
    codec, size = _codec(subject), subject.options.size
    instances = animals(size)
    given = as_poses(instances)
    kept = cloned(given)
    codec.complete(given, _outputs(subject, codec, instances), size)
    apart, place = difference(given, kept)
    if apart:
        fail(f"changes the poses ({place})", "that they are left as they are", "Clone first")
    return "left as they are"


COMPLETING = (completes_poses, completes_anything, completes_flipped, leaves_given_poses)
