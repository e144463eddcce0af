"""What Hydra 1.3 and 1.4 do otherwise when they compose the config of a job, build what a config names, or raise a job's error."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import hydra.utils
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

# From Hydra 1.4 on, hydra.job.override_dirname is this interpolation, which follows a job's overrides by itself.
FOLLOWS_OVERRIDES = "${hydra_override_dirname:}"

# Whether the result of a job can bring its exception to another process with the traceback, which then raises it; from 1.4 on.
CARRIES_ERRORS = any(field.name == "_remote_traceback" for field in fields(JobReturn))


def compose_job(loader: ConfigLoader, config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return the config of a job as `ConfigLoader.load_sweep_config` does, also where its settings are not the sweep's.

    Hydra 1.4 refuses a job that changes anything below ``hydra.sweeper`` or ``hydra.launcher``, and does not name the key.
    Here it may: `sweeps.plan.compose` refuses what all jobs share.
    """
    if not hasattr(loader, "_ensure_sweep_config_controller_unchanged"):
        return loader.load_sweep_config(config, list(overrides))
    own: Any = OmegaConf.to_container(config.hydra.overrides.hydra)
    lines = [*own, *overrides]
    load: Any = getattr(loader, "_load_configuration")  # noqa: B009 - Hydra 1.3 has none
    job: DictConfig = load(
        config_name=config.hydra.job.config_name,
        overrides=lines,
        run_mode=RunMode.RUN,
        from_shell=True,
        validate_sweep_overrides=True,
        skip_missing_defaults=False,
        activate_config_repository=False,
        # The command line has been read: what a short name (hydra.aliases) stands for is not looked up again.
        parsed_overrides=OverridesParser.create().parse_overrides(lines),
    )
    OmegaConf.copy_cache(from_config=config, to_config=job)  # so that times and the like are the sweep's
    return job


def build(config: Mapping[str, Any], allowed: Sequence[str] | None = None) -> Any:
    """Build what a config of the user's names by `_target_`; it gets plain lists and dicts.

    On Hydra 1.4 it may name what the list of the app has (``hydra.main(execution_whitelist=...)``); without one, whatever
    stands in it, but for what Hydra refuses on each version, such as ``os.system``.
    """
    is_asked = hasattr(hydra.utils, "execution_whitelist")
    names = list(_targets(config)) if allowed is None else allowed
    listed = {"_execution_whitelist_": names} if is_asked else {}
    return hydra.utils.instantiate(dict(config), _convert_="all", **listed)


def allowed_targets(context: HydraContext) -> Sequence[str] | None:
    """Return the list of what configs may name that an app has given to Hydra 1.4; None without one."""
    found: Sequence[str] | None = getattr(context, "execution_whitelist", None)
    return found


def _targets(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if isinstance(target := config.get("_target_"), str):
            yield target
        config = list(config.values())
    for each in config if isinstance(config, Sequence) and not isinstance(config, str) else ():
        yield from _targets(each)
