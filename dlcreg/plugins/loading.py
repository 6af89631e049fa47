"""A provider's class, imported and checked; or the package, the cause and the remedy."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

from dlcreg.errors import PluginError
from dlcreg.plugins.discovery import OWN, Provider

PLUGIN_API = (1, 0)
"""Version of the contracts in `dlcreg.contracts`; another major version is another contract."""


def load(provider: Provider, base: type) -> type:
    """Import a provider's class.

    Raises:
        PluginError: it is disabled, asks for another API version, fails to import, does not
            exist, or is not a subclass of `base`; the text names package, cause and remedy.
    """
    name, package = provider.qualified, provider.package
    if provider.disabled:
        raise PluginError(
            f"{name} is switched off by DLCREG_DISABLE={os.environ.get('DLCREG_DISABLE', '')!r}. "
            f"Remove {provider.distribution!r} from that variable to use it."
        )
    check_api(provider)
    module_name, _, attribute = provider.value.partition(":")
    if not module_name or not attribute:
        raise PluginError(
            f"{name} cannot be used: the entry point of package {package} reads "
            f"{provider.value!r}, and not 'module:Class'. {_repair(provider)}"
        )
    try:
        target: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{name} cannot be used: importing {module_name} of package {package} failed with "
            f"{type(error).__name__}: {error}{_place(error)}. {_repair(provider)}"
        ) from error
    for part in attribute.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            raise PluginError(
                f"{name} cannot be used: package {package} promises {provider.value}, but "
                f"{module_name} has no {part!r}. {_repair(provider)}"
            ) from None
        except (Exception, SystemExit) as error:  # a module that makes its names when asked
            raise PluginError(
                f"{name} cannot be used: {module_name} of package {package} gives no {part!r}: "
                f"{type(error).__name__}: {error}{_place(error)}. {_repair(provider)}"
            ) from error
    check_base(target, base, f"{name} of package {package}")
    return target  # type: ignore[no-any-return]


def check_api(provider: Provider) -> None:
    """Raise a `PluginError` where the package was written for another major API version."""
    if provider.api is None:
        return
    try:
        major = int(provider.api.split(".")[0])
    except ValueError:
        raise PluginError(
            f"package {provider.package} declares the plug-in API {provider.api!r}, which is no "
            f"version such as {PLUGIN_API[0]}.{PLUGIN_API[1]}. {_repair(provider)}"
        ) from None
    if major != PLUGIN_API[0]:
        side = OWN if major > PLUGIN_API[0] else provider.distribution
        raise PluginError(
            f"{provider.qualified} cannot be used: package {provider.package} is written for "
            f"plug-in API {provider.api}, this dlcreg has {PLUGIN_API[0]}.{PLUGIN_API[1]}. "
            f"Upgrade {side}: pip install --upgrade {side}"
        )


def check_base(target: Any, base: type, what: str) -> None:
    """Raise a `PluginError` unless `target` is a subclass of `base`."""
    if not isinstance(target, type) or not issubclass(target, base):
        kind = "a class" if isinstance(target, type) else type(target).__name__
        raise PluginError(
            f"{what} cannot be used: it is {kind}, not a subclass of "
            f"{_public_name(base)}. Derive the class from {base.__name__}."
        )


def _public_name(cls: type) -> str:
    """Return where to import a class from: the outermost package that gives it."""
    module = cls.__module__
    homes = [module[:end] for end, char in enumerate(module) if char == "."]
    given = (home for home in homes if getattr(sys.modules.get(home), cls.__name__, None) is cls)
    return f"{next(given, module)}.{cls.__qualname__}"


def _place(error: BaseException) -> str:
    """Return file and line of the innermost frame that is not Python's import system."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""


def _repair(provider: Provider) -> str:
    name = provider.distribution
    if provider.builtin:
        return f"Repair it with `pip install --force-reinstall {name}`."
    return (
        f"All other parts still work. Repair it with `pip install --upgrade --force-reinstall "
        f"{name}`, or leave it out with DLCREG_DISABLE={name}."
    )
