"""Checks a whole composed config before anything is loaded or trained.

All problems are found in one pass, each as `section.key=value` with what is allowed, so that a sweep of a
thousand jobs refuses a typo before its first job starts. Costs about a millisecond and imports neither
torch nor pandas. `trainer.schema` says what each key may hold.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.podium.versions import register_resolver
from tracking import InvalidNameError
from tracking.gate.rules import LATENCY, SIZE, is_recorded
from tracking.statistics.measure_names import MEASURE_NAMES, standard_name
from tracking.values.names import check_artifact, check_component, check_label
from trainer.data.check import source_problems, split_problems
from trainer.defaults import register
from trainer.errors import ConfigError, did_you_mean
from trainer.overrides import override
from trainer.schema import (
    AUTO,
    BY_TASK,
    FREE,
    LEFT_OVER,
    LENGTHS,
    LOGGED_PER_EPOCH,
    METRIC,
    METRIC_NAME,
    OPTIONAL,
    OWN_SECTIONS,
    ROOT,
    SECTIONS,
    TARGETS,
    Rule,
    Schema,
    is_ours,
    keys_of,
    objective_schema,
)
from trainer.targets import function_problem

register()  # at import, because a config is resolved before any function here is called
SCORER = "trainer.promotion.score"  # whose measures are known before anything is trained


def _stem(key: str, *, _root_: DictConfig) -> str:
    """Return the name of the file that a key holds, without its suffixes, as a name for its data."""
    path = OmegaConf.select(_root_, key, throw_on_missing=False)
    name = Path(str(path)).name.partition(".")[0] if path is not None else ""
    return re.sub(r"[^\w-]+", "_", name) or "csv"


# Configs say ${podium.stem:data.path}; whoever composes ours imports this module to check it.
register_resolver("podium.stem", _stem)


def check(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Return a composed config as plain values, each resolved; raise ConfigError that lists every problem of it.

    Checks keys, types, limits, what must fit together, and that the files of `data` exist and have the
    columns the config names. The sections of other packages are only checked to be mappings.
    """
    try:
        plain: Any = OmegaConf.to_container(cfg, resolve=True) if OmegaConf.is_config(cfg) else cfg
    except OmegaConfBaseException as error:
        raise ConfigError(f"the config cannot be resolved: {str(error).splitlines()[0]}") from error
    found = list(problems(plain))
    if found:
        raise ConfigError("\n".join(found))
    return dict(plain)


def problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield every problem of a plain config, one line each."""
    if not is_ours(config.get("task")):
        yield from _own_problems(config)
        return
    sections = (*TARGETS, *SECTIONS, *FREE)
    root = {key: value for key, value in config.items() if key not in (*sections, "metrics")}
    yield from _fields_problems(ROOT, root, "", also=(*sections, "metrics"))
    metrics = config.get("metrics") or {}
    schemas = {**SECTIONS, "objective": objective_schema(metrics if isinstance(metrics, Mapping) else ())}
    found = [each for name in sections for each in _section_problems(name, config, schemas)]
    # What must fit together is checked only once each key is sound by itself.
    yield from [*found, *_metric_problems(metrics)] or _joint_problems(config)


def _own_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problems of a config whose training is a function of the user, who may have keys of any name."""
    target: Any = config["task"].get("_target_")
    if not isinstance(target, str) or "." not in target:
        yield f"task._target_={target!r}: allowed is the dotted name of a function of the config and the run, such as my_train.train"
    elif problem := function_problem(target, ("config", "run")):
        yield f"task._target_={target}: {problem}"
    yield from _fields_problems(ROOT, {key: config[key] for key in ROOT if key in config}, "")
    found = [each for name in OWN_SECTIONS for each in _section_problems(name, config, OWN_SECTIONS)]
    if "data" in config:
        found += _section_problems("data", config)
    if not found:
        found += [*_name_problems(config["tracking"], config["promotion"], config.get("data"))]
        found += source_problems(config["data"]) if "data" in config else ()
    yield from found


def _section_problems(
    name: str, config: Mapping[str, Any], schemas: Mapping[str, Schema] = SECTIONS
) -> Iterator[str]:
    section = config.get(name)
    if name in OPTIONAL and (section is None or section == {"_target_": None}):
        return
    if name not in config:
        yield f"section {name} is missing"
    elif not isinstance(section, Mapping):
        yield f"{name}={section!r}: allowed is a section of keys"
    elif name in schemas:
        yield from _fields_problems(schemas[name], section, name)
    elif name in TARGETS:
        yield from _target_problems(name, section, TARGETS[name])


def _metric_problems(metrics: Any) -> Iterator[str]:
    """Yield the problems of the user's metrics."""
    if not isinstance(metrics, Mapping):
        yield f"metrics={metrics!r}: allowed is a section of names, each with a _target_"
        return
    taken = {name.partition("_")[2] for name in LOGGED_PER_EPOCH} | {"accuracy"}
    for name, spec in metrics.items():
        if spec is None:
            continue  # switched off
        if not METRIC_NAME.fullmatch(str(name)) or name in taken:
            of = [
                task for task, logged in BY_TASK.items() if {f"val_{name}"} & {*logged} or name == "accuracy"
            ]
            why = (
                f"the trainer logs its own {name} with {', '.join(f'task={task}' for task in of)}, and a name means the "
                f"same with each task; choose another, such as my_{name}"
                if name in taken
                else "allowed are names of letters, digits, '_' and '-'; choose another name"
            )
            yield f"metrics.{name}: {why}"
        elif not isinstance(spec, Mapping):
            yield f"metrics.{name}={spec!r}: allowed is a section with a _target_, such as {{_target_: my_metrics.profit}}"
        else:
            given = {key: value for key, value in spec.items() if key in METRIC}
            found = [*_fields_problems(METRIC, given, f"metrics.{name}")]
            others = [key for key in spec if key not in METRIC]
            problem = None if found else function_problem(spec["_target_"], ("target", "predictions"), others)
            yield from found
            if problem:
                yield f"metrics.{name}._target_={spec['_target_']}: {problem}"


def _target_problems(name: str, section: Mapping[str, Any], known: Mapping[str, Schema]) -> Iterator[str]:
    target: Any = section.get("_target_")
    if target in known:
        # With `model._target_` alone changed, the keys of the other model are still in the section.
        left = {"_target_", *(keys_of(name) if name in LEFT_OVER else ())} - {*known[target]}
        rest = {key: value for key, value in section.items() if key not in left}
        yield from _fields_problems(known[target], rest, name)
    elif not isinstance(target, str) or "." not in target:
        such = next(iter(known), "torch.nn.HuberLoss")
        yield f"{name}._target_={target!r}: allowed is the dotted name of a class, such as {such}"
    elif target.startswith("trainer."):
        yield f"{name}._target_={target}: there is no such class{did_you_mean(target, known)}; allowed are {', '.join(known)}"
    else:
        if not _is_installed(package := target.partition(".")[0]):
            yield f"{name}._target_={target}: there is no module {package!r}; install it or put it in the current folder"
        elif name == "loss":
            others = [str(key) for key in section if key != "_target_"]
            if problem := function_problem(target, ("logits", "target"), others):
                yield f"loss._target_={target}: {problem}"
        if name == "data" and "dataset" not in section:
            yield "data.dataset is missing: a name for the data set is needed"


def _is_installed(package: str) -> bool:
    """Whether a package can be found; a class in it cannot be checked without importing it."""
    try:
        return package in sys.modules or importlib.util.find_spec(package) is not None
    except ValueError:  # an empty name, or a module that was never properly imported
        return False


def _fields_problems(
    known: Schema, section: Mapping[str, Any], prefix: str, also: tuple[str, ...] = ()
) -> Iterator[str]:
    dot = f"{prefix}." if prefix else ""
    for key, value in section.items():
        if key not in known:
            allowed = ", ".join((*known, *also)) or "none"
            yield f"unknown key {dot}{key}={value!r}{suggest(str(key), (*known, *also), dot)}; allowed: {allowed}"
        elif value == "???":  # what OmegaConf calls a value that must be set
            yield f"{dot}{key} is missing: set {dot}{key}=..."
        elif not known[key].fits(value):
            shown = value if isinstance(value, str) and value else repr(value)
            yield f"{dot}{key}={shown}: allowed is {known[key].wanted.replace('data.KEY', f'{dot}{key}')}{_as_list(f'{dot}{key}', value, known[key])}"
        elif (keys := known[key].keys) is not None:
            yield from _fields_problems(keys, value, f"{dot}{key}")
    for key, rule in known.items():
        if key not in section and not rule.is_optional:
            yield f"{dot}{key} is missing"


def _joint_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what only several keys together can get wrong."""
    objective, data, optimizer = config["objective"], config["data"], config["optimizer"]
    metric, mode = objective["metric"], objective.get("mode")
    improves = LOGGED_PER_EPOCH.get(metric, mode)  # of a metric of the user, only the user knows
    task = str(config.get("task"))
    if improves is None:
        yield f"objective.mode is missing: {metric} is a metric of yours, so say which values are better: objective.mode=max or min"
    elif metric in LOGGED_PER_EPOCH and metric not in BY_TASK.get(task, LOGGED_PER_EPOCH):
        yield f"objective.metric={metric}: task={task} logs {', '.join(BY_TASK[task])}"
    if mode not in (None, improves):
        yield f"objective.mode={mode}: {metric} is better when it is {'smaller' if improves == 'min' else 'larger'}; use objective.mode={improves} or leave it out"
    yield from split_problems(data)
    yield from _auto_problems(config)
    if config["scheduler"].get("interval") == "batch" and "Plateau" in config["scheduler"]["_target_"]:
        yield "scheduler.interval=batch: the scheduler waits for the objective, which is known once per epoch; use epoch"
    if optimizer.get("nesterov") and not optimizer.get("momentum"):
        yield "optimizer.nesterov=True: needs optimizer.momentum above 0"
    yield from _name_problems(config["tracking"], config["promotion"], data)
    yield from _rule_problems(config, task)
    yield from source_problems(data, _gate_columns(config["promotion"]))


def _auto_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of torch's classes that are `auto`, which means nothing to them."""
    for name, known in (("optimizer", frozenset[str]()), ("scheduler", LENGTHS)):
        section = config[name]
        if str(section["_target_"]).startswith("torch."):
            for key in (key for key, value in section.items() if value == AUTO and key not in known):
                means = f"auto is for {', '.join(sorted(known))}; " if known else ""
                yield f"{name}.{key}=auto: {means}give a value, or leave it out with ~{name}.{key}"


def _name_problems(
    tracking: Mapping[str, Any], promotion: Mapping[str, Any], data: Any = None
) -> Iterator[str]:
    """Yield the names that the tracker or the registry would refuse, and what the gate could not use."""
    checks = [partial(check_label, "tracking.experiment_name", tracking["experiment_name"])]
    if promotion["promote"]:
        checks.append(partial(check_component, "promotion.model_name", promotion["model_name"]))
        checks += [partial(check_artifact, name) for name in promotion["files"]]
        if not promotion["files"]:
            yield "promotion.files=[]: a model is made of files; name artifacts such as [model_best.pt, model.json], or set promotion.promote=false"
        yield from _gate_problems(promotion, data)
    for each in checks:
        try:
            each()
        except InvalidNameError as error:
            yield str(error)


def _gate_problems(promotion: Mapping[str, Any], data: Any) -> Iterator[str]:
    """Yield what would only be found at the end of a sweep: rows to decide by that cannot be read, a scorer that is none."""
    split, scorer = promotion.get("split"), promotion.get("scorer")
    if scorer is not None and (problem := function_problem(scorer, ("folder", "split"))):
        yield f"promotion.scorer={scorer}: {problem}"
    if split in (None, "auto"):
        return
    if scorer is None:
        yield f"promotion.split={split}: needs promotion.scorer, a function that scores a model on these rows"
    path = data.get("path") if isinstance(data, Mapping) else None
    if not Path(split).is_file():
        yield f"promotion.split={split}: there is no such file; give one of labelled rows, or auto"
    elif isinstance(path, str) and Path(path).exists() and Path(path).samefile(split):
        yield f"promotion.split={split}: models train on rows of it, as data.path; give a file that no model trains on, or auto"


def _rule_problems(config: Mapping[str, Any], task: str) -> Iterator[str]:
    """Yield the rules of the gate whose measure no scored model of the task has, and the margin that superiority=false lacks."""
    promotion = config["promotion"]
    rules = promotion.get("rules") or {}
    guards, thresholds = rules.get("not_worse") or {}, rules.get("thresholds") or {}
    if not promotion["promote"] or promotion.get("scorer") != SCORER or promotion.get("split") is None:
        return
    metric = standard_name(str(config["objective"]["metric"]))
    if rules.get("superiority") is False and metric not in map(standard_name, guards):
        yield f"promotion.rules.superiority=false: needs promotion.rules.not_worse.{metric}, how much worse it may be"
    every = [name for names in MEASURE_NAMES.values() for name in names]  # of a task that the table tells
    known = dict.fromkeys((*MEASURE_NAMES.get(task, every), "loss", *(config.get("metrics") or {})))
    plain = {
        f"rules.not_worse.{name}": name for name in guards if name != SIZE and not LATENCY.fullmatch(name)
    }
    plain |= {f"rules.thresholds.{name}": name for name in thresholds if not is_recorded(name)}
    for key, name in plain.items():
        if standard_name(name) not in known:
            yield f"promotion.{key}: there is no such measure{did_you_mean(name, known)}; there are {', '.join(known)}"


def _gate_columns(promotion: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that the gate reads of the trainer's own rows, by the keys that name them."""
    if not promotion["promote"] or promotion.get("scorer") != SCORER or promotion.get("split") != AUTO:
        return {}
    slices = (promotion.get("rules") or {}).get("slices") or {}
    found = {f"promotion.rules.slices.{column}": str(column) for column in slices}
    cluster = promotion.get("cluster")
    return found | ({} if cluster is None else {"promotion.cluster": str(cluster)})


def _as_list(key: str, value: Any, rule: Rule) -> str:
    """Name the list of one value that was probably meant."""
    if not isinstance(value, str | int | float) or not rule.fits([value]):
        return ""
    return f" (did you mean {override(key, value) if isinstance(value, str) else f'{key}=[{value}]'}?)"


def suggest(key: str, known: tuple[str, ...], dot: str) -> str:
    """Name the key that was probably meant, in this section, whose name `dot` ends with a dot, or in another one."""
    if near := did_you_mean(key, known, f"{dot}{{}}".format):
        return near
    section = dot.removesuffix(".")
    if any(key in schema for schema in TARGETS.get(section, {}).values()):
        return f" (other choices of {section} have it)"
    everywhere = {leaf: f"{name}.{leaf}" for name, schema in SECTIONS.items() for leaf in schema}
    for name, schema in SECTIONS.items():
        for inner, rule in schema.items():
            everywhere |= {leaf: f"{name}.{inner}.{leaf}" for leaf in rule.keys or ()}
    for name, schemas in TARGETS.items():
        everywhere |= {leaf: f"{name}.{leaf}" for schema in schemas.values() for leaf in schema}
    elsewhere = {leaf: name for leaf, name in everywhere.items() if name != f"{dot}{key}"}
    return did_you_mean(key, elsewhere, elsewhere.__getitem__)
