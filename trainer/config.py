"""Checks a whole composed config before anything is loaded or trained.

The one idea: all problems are found in one go and told together, each as `section.key=value` with what is
allowed, so that a sweep of a thousand jobs refuses a typo before its first job starts. Costs about a
millisecond and imports neither torch nor pandas. The schemas are in `trainer.schema`.
"""

import functools
import importlib.util
import math
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tracking import InvalidNameError
from tracking.values.names import check_artifact, check_component, check_label
from trainer.data.check import source_problems
from trainer.errors import ConfigError, did_you_mean
from trainer.schema import FREE, LOGGED_PER_EPOCH, MODEL_KEYS, SECTIONS, TARGETS, Limits, Root

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def check(cfg: DictConfig | Mapping[str, Any]) -> None:
    """Raise ConfigError that lists every problem of a composed config; give nothing when it is sound.

    Checks keys, types, limits, what must fit together, and that the files of `data` exist and have the
    columns they are asked for. The sections of other packages are only checked to be mappings.
    """
    try:
        plain: Any = OmegaConf.to_container(cfg, resolve=True) if OmegaConf.is_config(cfg) else cfg
    except OmegaConfBaseException as error:
        raise ConfigError(f"the config cannot be resolved: {str(error).splitlines()[0]}") from error
    found = list(problems(plain))
    if found:
        raise ConfigError("\n".join(found))


def problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Give every problem of a plain config, one line each."""
    sections = (*TARGETS, *SECTIONS, *FREE)
    root = {key: value for key, value in config.items() if key not in sections}
    yield from _fields_problems(Root, root, "", also=sections)
    sound = True
    for name in sections:
        section = config.get(name)
        if not isinstance(section, Mapping):
            missing = name not in config
            yield (
                f"section {name} is missing"
                if missing
                else f"{name}={section!r}: allowed is a section of keys"
            )
            sound = False
            continue
        for problem in _section_problems(name, section):
            sound = False
            yield problem
    if sound:
        yield from _joint_problems(config)


def _section_problems(name: str, section: Mapping[str, Any]) -> Iterator[str]:
    if name in FREE:
        return
    if name in SECTIONS:
        yield from _fields_problems(SECTIONS[name], section, name)
        return
    known, target = TARGETS[name], section.get("_target_")
    rest = {key: value for key, value in section.items() if key != "_target_"}
    if target in known:
        if name == "model":  # with `model._target_` alone changed, the other model's keys are still there
            rest = {key: rest[key] for key in rest if key not in MODEL_KEYS or key in _schema(known[target])}
        yield from _fields_problems(known[target], rest, name)
    elif not isinstance(target, str) or "." not in target:
        yield f"{name}._target_={target!r}: allowed is the dotted name of a class, such as {next(iter(known))}"
    elif target.startswith("trainer."):
        yield f"{name}._target_={target}: there is no such class{did_you_mean(target, known)}; ours are {', '.join(known)}"
    else:
        yield from _import_problems(name, target)
        if name == "data" and "dataset" not in section:
            yield "data.dataset is missing: a name for the data set is needed"


def _import_problems(name: str, target: str) -> Iterator[str]:
    """Whether the outermost package of a class is there; more cannot be known without importing it."""
    package = target.partition(".")[0]
    try:
        found = package in sys.modules or importlib.util.find_spec(package) is not None
    except ValueError:
        found = False
    if not found:
        yield f"{name}._target_={target}: there is no module {package!r}; it must be installed or lie in the current folder"


def _fields_problems(
    schema: type, section: Mapping[str, Any], prefix: str, also: tuple[str, ...] = ()
) -> Iterator[str]:
    known = _schema(schema)
    dot = f"{prefix}." if prefix else ""
    for key, value in section.items():
        if key not in known:
            allowed = ", ".join((*known, *also)) or "none"
            yield f"unknown key {dot}{key}={value!r}{_suggest(str(key), (*known, *also), dot)}; allowed: {allowed}"
        elif value == "???":
            yield f"{dot}{key} is missing: set {dot}{key}=..."
        else:
            kind, limits, _ = known[key]
            if not _fits(value, kind, limits):
                yield f"{dot}{key}={_show(value)}: allowed is {_describe(kind, limits)}"
    for key, (_, _, required) in known.items():
        if required and key not in section:
            yield f"{dot}{key} is missing"


def _joint_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What only several keys together can get wrong; asked for once each is sound by itself."""
    objective, data, optimizer = config["objective"], config["data"], config["optimizer"]
    metric, mode = objective["metric"], objective.get("mode")
    improves = LOGGED_PER_EPOCH[metric]
    if mode not in (None, improves):
        yield f"objective.mode={mode}: {metric} is better when it is {'smaller' if improves == 'min' else 'larger'}; use objective.mode={improves} or leave it out"
    val, test = data.get("val_fraction"), data.get("test_fraction")
    if isinstance(val, float) and isinstance(test, float) and not data.get("test_path") and val + test >= 1:
        yield f"data.val_fraction={val} and data.test_fraction={test} leave no rows to train on; allowed is a sum below 1"
    if optimizer.get("nesterov") and not optimizer.get("momentum"):
        yield "optimizer.nesterov=True: needs optimizer.momentum above 0"
    yield from _name_problems(config["tracking"], config["promotion"])
    yield from source_problems(data)


def _name_problems(tracking: Mapping[str, Any], promotion: Mapping[str, Any]) -> Iterator[str]:
    """What the tracker would refuse to file a run under, and the registry a model."""
    asked: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (check_label, ("tracking.experiment_name", tracking["experiment_name"]))
    ]
    if promotion["promote"]:
        asked.append((check_component, ("promotion.model_name", promotion["model_name"])))
        asked += [(check_artifact, (name,)) for name in promotion["files"]]
        if not promotion["files"]:
            yield "promotion.files=[]: a model is made of files; name artifacts such as [model_best.pt, model.json], or set promotion.promote=false"
    for checker, arguments in asked:
        try:
            checker(*arguments)
        except InvalidNameError as error:
            yield str(error)


@functools.cache
def _schema(schema: type) -> dict[str, tuple[Any, Limits, bool]]:
    """A schema's keys: type, limits, and whether it must be there."""
    known = {}
    for name, hint in get_type_hints(schema, include_extras=True).items():
        kind, limits = get_args(hint) if get_origin(hint) is Annotated else (hint, Limits())
        known[name] = (kind, limits, not limits.optional)
    return known


def _fits(value: Any, kind: Any, limits: Limits) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each, limits) for each in arguments)
    if origin is list:
        sized = isinstance(value, list) and limits.length in (None, len(value))
        return sized and all(_fits(each, arguments[0], limits) for each in value)
    if origin is dict:
        return isinstance(value, Mapping) and all(
            _fits(each, arguments[1], limits) for each in value.values()
        )
    if kind is Any:
        return True
    if kind is type(None):
        return value is None
    if isinstance(value, bool) or kind is bool:
        return kind is bool and isinstance(value, bool)
    if not isinstance(value, (int, float) if kind is float else kind):
        return False
    return _within(value, limits)


def _within(value: Any, limits: Limits) -> bool:
    if limits.choices:
        return value in limits.choices
    if isinstance(value, str):
        return limits.pattern is None or re.fullmatch(limits.pattern, value, re.DOTALL) is not None
    return (
        math.isfinite(value)
        and (limits.ge is None or value >= limits.ge)
        and (limits.gt is None or value > limits.gt)
        and (limits.le is None or value <= limits.le)
        and (limits.lt is None or value < limits.lt)
    )


def _describe(kind: Any, limits: Limits) -> str:
    """Say in words what a key may hold."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(
            _describe(each, limits if each is not type(None) else Limits()) for each in arguments
        )
    if origin is list:
        count = f"{limits.length} entries" if limits.length else "entries"
        return f"a list, its {count} each {_describe(arguments[0], limits)}"
    if origin is dict:
        return f"a mapping of names to {'values' if arguments[1] is Any else _describe(arguments[1], limits)}"
    if limits.choices:
        return f"{limits.wanted or 'one of'} " + ", ".join(map(str, limits.choices))
    if limits.wanted:
        return limits.wanted
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [
        f"{sign} {getattr(limits, name)}" for name, sign in signs.items() if getattr(limits, name) is not None
    ]
    return " ".join([_WORDS[kind], " and ".join(bounds)]).strip()


def _suggest(key: str, known: tuple[str, ...], dot: str) -> str:
    """Name the key that was probably meant, here or in another section."""
    if near := did_you_mean(key, known, f"{dot}{{}}".format):
        return near
    everywhere = {
        leaf: f"{name}.{leaf}"
        for name, schemas in [
            *((n, (s,)) for n, s in SECTIONS.items()),
            *((n, tuple(t.values())) for n, t in TARGETS.items()),
        ]
        for schema in schemas
        for leaf in _schema(schema)
    }
    return did_you_mean(key, everywhere, everywhere.__getitem__)


def _show(value: Any) -> str:
    return value if isinstance(value, str) and value else repr(value)
