"""The loader of a version: what its manifest may name, found among the functions that are allowed.

A manifest may come from anybody, so it chooses among trusted functions and adds none.
"""

import importlib
from collections.abc import Sequence
from typing import Any

from tracking.errors import InvalidValueError, ModelLoadError, quoted
from tracking.registry.given import check_texts, names_of
from tracking.registry.model_records import ModelVersion
from tracking.values.names import is_within

TRUSTED = "trainer:load_model"  # the loader that may be called without `allow`


def check_loader(loader: str | None) -> None:
    """Raise InvalidValueError for a loader that is not written as `module:function`."""
    if loader is None:
        return
    module, colon, function = loader.partition(":") if isinstance(loader, str) else ("", "", "")
    if not (colon and all(part.isidentifier() for part in [*module.split("."), function])):
        raise InvalidValueError(
            f"loader {quoted(loader)} must be 'module:function', such as 'trainer:load_model'"
        )


def packages_of(allow: Any) -> tuple[str, ...]:
    """Return the names of packages as a tuple, also of a single one; raise InvalidValueError for anything but names."""
    names = names_of("allow", (allow,) if isinstance(allow, str) else allow, "['shop']")
    for name in names:
        check_texts(allow=name)
    return names


def loader_of(version: ModelVersion, allow: Sequence[str]) -> Any:
    """Return the function that loads a version; raise ModelLoadError for one that may not be called.

    Allowed is `trainer:load_model`, and each function that is itself defined in a package of `allow`.
    """
    label = f"version {version.version} of {version.name!r}"
    if version.loader is None:
        raise ModelLoadError(f"{label} was registered without a loader; read its files in {version.path}")
    check_loader(version.loader)
    module, _, function = version.loader.partition(":")
    asks = f"{label} asks for the loader {version.loader!r}"
    trusted = (TRUSTED.partition(":")[0], *allow) if version.loader == TRUSTED else allow
    # importing a module runs its code, so the manifest alone must not choose it
    if not is_within(module, trusted):
        only = ", ".join((TRUSTED, *allow))
        raise ModelLoadError(
            f"{asks}, and only {only} may be called; pass allow=[{module.partition('.')[0]!r}] if you trust it"
        )
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ModelLoadError(f"the loader {version.loader!r} of {label} cannot be found: {error}") from error
    home = getattr(found, "__module__", None)
    if not callable(found) or not is_within(str(home), trusted):
        raise ModelLoadError(
            f"{asks}, which is {quoted(found)}; only a function that is defined in {', '.join(trusted)} may be called"
        )
    return found
