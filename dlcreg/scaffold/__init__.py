"""Packages made from templates: the start of a plug-in of one's own."""

from dlcreg.scaffold.package import NewPlugin, kinds, new_plugin

__all__ = ["NewPlugin", "kinds", "new_plugin"]
