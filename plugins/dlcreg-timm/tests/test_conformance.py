"""Small networks of several kinds keep the contract of a backbone."""

from dlcreg_timm.checks import PARTS

from dlcreg.testing import parametrize_with_checks


def network(name, **arguments):
    return ("backbones", "TimmBackbone", {"arguments": {"name": name, **arguments}})


@parametrize_with_checks(
    [
        ("backbones", "TimmBackbone", PARTS["backbones/TimmBackbone"]),
        network("test_convnext"),
        network("test_vit"),
        network("test_mambaout"),  # channels last
    ]
)
def test_networks_pass_the_conformance_kit(check):
    check()
