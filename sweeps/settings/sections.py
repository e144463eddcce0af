"""Where a setting is read: in the section of the config that ``settings_from`` names, or below ``hydra`` itself.

Hydra checks the types of ``hydra.sweeper`` and ``hydra.launcher`` against podium's typed configs while it composes, and
lets unknown keys pass, so that they are refused here, with the allowed ones. A section of the user's own is plain YAML. Its
keys and types are checked here against the same typed configs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeps.errors import SettingsError
from sweeps.settings.checks import refuse_unknown, shown
from tracking.values.configs import Unresolved, read_config

SWEEPER, LAUNCHER = "hydra.sweeper", "hydra.launcher"
NO_ALERTS: Mapping[str, Any] = {"to": None}  # what null means, and a section that was deleted
OBJECTIVE = "objective"  # one, or a list of several
OWN_WAY = frozenset(
    {"_target_", "_recursive_", "settings_from"}
)  # the keys that a section of the user's own cannot hold

DEFAULT = "podium"  # the name of the typed configs of the sweeper and the launcher
DASK, RAY = "podium_dask", "podium_ray"
OTHERS = {  # those of other plug-ins, by their target
    "hydra_plugins.podium.launcher.PodiumDaskLauncher": DASK,
    "hydra_plugins.podium.launcher.PodiumRayLauncher": RAY,
}

Tree = Mapping[str, Any]  # the keys of a typed config; a nested one is a tree, any other key None


def target(config: DictConfig, key: str) -> str:
    """Return the ``_target_`` of ``hydra.sweeper`` or ``hydra.launcher``."""
    return str(OmegaConf.select(config, f"{key}._target_"))


def is_ours(config: DictConfig, key: str) -> bool:
    """Return whether the sweeper or the launcher that is chosen is podium's."""
    return target(config, key).startswith("hydra_plugins.podium.")


def launcher_on_nodes(config: DictConfig) -> str | None:
    """Return the name of the launcher that is chosen, if it is podium's and runs jobs on the nodes of a cluster; None otherwise."""
    name = _name(config, LAUNCHER)
    return None if name == DEFAULT else name


def section(config: DictConfig, key: str) -> dict[str, Any]:
    """Return the settings of ``hydra.sweeper`` or ``hydra.launcher`` with their interpolations resolved.

    A setting of the section that ``settings_from`` names counts, unless the one below `key` differs from its default
    or is given on the command line.
    Raise `SettingsError` for a section that does not exist, an unknown key, a wrong type, and an interpolation that
    cannot be resolved.
    """
    own = _resolved(config, key)
    if is_ours(config, key):
        own = _filled(own, _plain(_schema(config, key)))
        keys = [name for place in (SWEEPER, LAUNCHER) for name in _dotted(place, _tree(config, place))]
        _require_known(own, key, _tree(config, key), keys)
    source = own.get("settings_from")
    if source is None:
        return own | _objectives(config, key, own.get(OBJECTIVE), key)
    if not isinstance(OmegaConf.select(config, source), DictConfig):
        raise SettingsError(
            f"{key}.settings_from={source}: the config has no such section; allowed is the key of one, or null"
        )
    given = _resolved(config, source)
    tree = _allowed(config, source)
    _require_known(given, source, tree, [*_dotted(source, tree)])
    schema = _schema(config, key)
    known = {name: value for name, value in given.items() if name in schema and name != OBJECTIVE}
    try:
        typed = OmegaConf.merge(schema, known)
    except OmegaConfBaseException as error:
        place = f"{source}.{error.full_key}"
        value = shown(place, OmegaConf.select(config, place))
        raise SettingsError(f"{place}={value}: {str(error).splitlines()[0]}") from None
    explicit = {name for name in _overridden(config) if name.startswith(f"{key}.")}
    read = _plain(OmegaConf.merge(typed, _changed(own, _plain(schema), key, explicit)))
    ours, theirs = own.get(OBJECTIVE), given.get(OBJECTIVE)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        ours = {**theirs, **ours}
    counts, place = (theirs, source) if ours is None else (ours, key)
    return read | _objectives(config, key, counts, place)


def _objectives(config: DictConfig, key: str, given: Any, place: str) -> dict[str, Any]:
    """Return the objective of a section, with the defaults filled in: a mapping, or a list of several; nothing for a launcher."""
    shape = _shapes(OmegaConf.get_type(_schema(config, key))).get(OBJECTIVE) if key == SWEEPER else None
    if shape is None:
        return {}
    several = (
        {f"{index}.": each for index, each in enumerate(given)} if isinstance(given, list) else {"": given}
    )
    typed = []
    for index, each in several.items():
        try:
            typed.append(_plain(OmegaConf.merge(OmegaConf.structured(shape), each or {})))
        except OmegaConfBaseException as error:
            where = f"{place}.{OBJECTIVE}.{index}{error.full_key}"
            raise SettingsError(f"{where}: {str(error).splitlines()[0]}") from None
    return {OBJECTIVE: typed if isinstance(given, list) else typed[0]}


def _filled(own: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with the default of each setting that ``~key`` deleted; deleted addresses are none."""
    alerts = own.get("notify", {})
    own = (
        own | {"notify": {**NO_ALERTS, **alerts}}
        if isinstance(alerts, dict) and "notify" in defaults
        else own
    )
    groups = {name: default for name, default in defaults.items() if isinstance(default, dict)}
    inner = {name: groups[name] | own[name] for name in groups if isinstance(own.get(name), dict)}
    return {**defaults, **own, **inner}


def _overridden(config: DictConfig) -> set[str]:
    """Return the keys that the command line sets."""
    given = [word for kind in ("hydra", "task") for word in overrides(config, kind)]
    return {override.partition("=")[0].lstrip("+") for override in given}


def overrides(config: DictConfig, kind: str) -> list[str]:
    """Return the overrides of a composed config, those of ``hydra`` or of the ``task``, as they were given."""
    node = OmegaConf.select(config, f"hydra.overrides.{kind}")
    words: Any = [] if node is None else OmegaConf.to_container(node, resolve=False)
    return [str(word) for word in words]


def _changed(
    values: Mapping[str, Any], defaults: Mapping[str, Any], key: str, explicit: set[str]
) -> dict[str, Any]:
    """Return the values below `key` that differ from their defaults or are named in `explicit`."""
    changed: dict[str, Any] = {}
    for name, value in values.items():
        place, default = f"{key}.{name}", defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict) and default and place not in explicit:
            inner = _changed(value, default, place, explicit)
            changed |= {name: inner} if inner else {}
        elif name not in defaults or value != default or place in explicit:
            changed[name] = value
    return changed


def settings_sections(config: DictConfig) -> Iterator[str]:
    """Yield the top-level sections that ``settings_from`` names: what they hold does not change what a job computes."""
    for key in (SWEEPER, LAUNCHER):
        source = OmegaConf.select(config, f"{key}.settings_from")
        if source is not None and "." not in source:
            yield source


def one_per_sweep(config: DictConfig) -> Iterator[str]:
    """Yield the key of each setting that all jobs share, in every section that it may be read from."""
    for key in (SWEEPER, LAUNCHER):
        schema: Any = OmegaConf.get_type(_schema(config, key))
        names = [each.name for each in fields(schema) if "per_job" not in each.metadata]
        if is_ours(config, key):
            for place in filter(None, (key, OmegaConf.select(config, f"{key}.settings_from"))):
                yield from (f"{place}.{name}" for name in names)


def _name(config: DictConfig, key: str) -> str:
    return OTHERS.get(target(config, key), DEFAULT)


def _schema(config: DictConfig, key: str) -> DictConfig:
    """Return the typed config of the plug-in that is chosen, of podium's default one if it is a stranger's."""
    return _stored(key, _name(config, key))


def _tree(config: DictConfig, key: str) -> Tree:
    return _keys(key, _name(config, key))


@cache
def _stored(key: str, name: str) -> DictConfig:
    """Return a typed config that podium's plug-ins have stored: each setting with its default."""
    node: DictConfig = ConfigStore.instance().load(f"{key.replace('.', '/')}/{name}.yaml").node
    return node


@cache
def _keys(key: str, name: str) -> Tree:
    """Return the keys of a typed config of podium's."""
    return _keys_of(OmegaConf.get_type(_stored(key, name)))


def _keys_of(kind: Any) -> Tree:
    return {name: _keys_of(made) if is_dataclass(made) else None for name, made in _shapes(kind).items()}


def _shapes(kind: Any) -> dict[str, Any]:
    """Return what makes the default of each field; the typed config of one that is null until it is given."""
    return {each.name: each.metadata.get("shape", each.default_factory) for each in fields(kind)}


def _dotted(place: str, tree: Tree) -> Iterator[str]:
    """Yield the whole key of each setting and each group of settings below `place`."""
    for name, inner in tree.items():
        if name not in OWN_WAY:
            yield f"{place}.{name}"
            yield from _dotted(f"{place}.{name}", inner or {})


def _require_known(values: Mapping[str, Any], place: str, tree: Tree, keys: Sequence[str]) -> None:
    """Raise SettingsError for a key at any depth below `place` that `tree` lacks, with the closest of `keys`."""
    refuse_unknown(place, values, tree, keys)
    for name, value in values.items():
        inner = tree[name]
        if inner is None or (name == OBJECTIVE and value is None):
            continue
        is_list = name == OBJECTIVE and isinstance(value, list) and value != []
        parts = {f"{name}.{index}": each for index, each in enumerate(value)} if is_list else {name: value}
        for part, each in parts.items():
            if not isinstance(each, Mapping):
                also = ", or a list of such mappings" if name == OBJECTIVE else ""
                raise SettingsError(
                    f"{place}.{part}={shown(part, each)}: allowed is a mapping of {', '.join(sorted(inner))}{also}"
                )
            _require_known(each, f"{place}.{part}", inner, keys)


def _allowed(config: DictConfig, source: str) -> Tree:
    """Return the settings that a section may hold: those of everything that reads it.

    While another launcher is chosen, the settings of podium's may stay where they are.
    """
    readers = [
        key
        for key in (SWEEPER, LAUNCHER)
        if not is_ours(config, key) or OmegaConf.select(config, f"{key}.settings_from") == source
    ]
    trees = [_tree(config, key) for key in readers]
    if LAUNCHER in readers:
        trees += [_keys(LAUNCHER, name) for name in OTHERS.values()]
    return {name: inner for tree in trees for name, inner in tree.items() if name not in OWN_WAY}


def _resolved(config: DictConfig, key: str) -> dict[str, Any]:
    """Return a section with its interpolations resolved, ``${hydra:...}`` from the config itself: no job runs yet."""
    reading = read_config(OmegaConf.select(config, key), config._get_node("hydra"))
    section: dict[str, Any] = reading.resolved()
    for place, fault in _faults(section, key):
        raise SettingsError(f"{place}: {fault.why}")
    notify = section.get("notify")
    if isinstance(notify, dict) and True in notify:  # YAML reads a key that is written on as true
        from_file = notify.pop(True)
        if f"{key}.notify.on" not in _overridden(config):
            notify["on"] = from_file
    if notify is None and "notify" in section:
        section["notify"] = dict(NO_ALERTS)
    return {str(name): value for name, value in section.items()}


def _faults(value: Any, place: str) -> Iterator[tuple[str, Unresolved]]:
    if isinstance(value, Unresolved):
        yield place, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from _faults(item, f"{place}.{name}")


def _plain(node: Any) -> dict[str, Any]:
    container = OmegaConf.to_container(node)
    assert isinstance(container, dict)  # noqa: S101 - a DictConfig gives a dict
    return {str(name): value for name, value in container.items()}
