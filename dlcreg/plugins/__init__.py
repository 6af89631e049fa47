"""Plug-in packages: found by their metadata, imported when a part of theirs is built."""

from dlcreg.plugins.discovery import (
    CHECKS_GROUP,
    OWN,
    Provider,
    canonical,
    disabled_packages,
    distribution_of,
    installed_version,
    own_version,
    plugin_packages,
    providers,
    refresh,
)
from dlcreg.plugins.loading import PLUGIN_API, check_api, check_base, load
from dlcreg.plugins.requirements import check_required

__all__ = [
    "CHECKS_GROUP",
    "OWN",
    "PLUGIN_API",
    "Provider",
    "canonical",
    "check_api",
    "check_base",
    "check_required",
    "disabled_packages",
    "distribution_of",
    "installed_version",
    "load",
    "own_version",
    "plugin_packages",
    "providers",
    "refresh",
]
