"""Typed configs of the plug-ins: what ``hydra.sweeper.*`` and ``hydra.launcher.*`` accept.

Every Hydra app on the machine imports this module, so it knows nothing but Hydra's config store.
Each field is documented where it is acted upon, in ``sweeps.settings.sweeper_settings``.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hydra.core.config_store import ConfigStore

# The sweep's own value counts and a job's may differ, as where a model is named after the choice of a group.
PER_JOB = {"per_job": True}


@dataclass
class ObjectiveConf:
    """What the sweep optimises."""

    metric: str | None = None  # a logged metric; the task's return value when null
    mode: str | None = (
        None  # max or min; when null min for a loss or an error, by the metric's name, and max otherwise
    )
    at: str = "best"  # the value of a run that counts: best or last


@dataclass
class PromotionConf:
    """Whether and how the winner becomes the champion of a registered model."""

    promote: bool = False
    model_name: str | None = None
    min_delta: float = 0.0
    thresholds: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=lambda: ["model_best.pt"])
    loader: str | None = None


@dataclass
class SweeperConf:
    """``hydra.sweeper`` of an app that chose ``override hydra/sweeper: podium``."""

    _target_: str = "hydra_plugins.podium.sweeper.PodiumSweeper"
    store: str = "experiments"  # where runs/, sweeps/ and models/ live
    settings_from: str | None = None  # the section of the config that holds these settings; here when null
    name: str | None = field(
        default=None, metadata=PER_JOB
    )  # the sweep's id; the time of its start when null
    params: Any = None  # swept keys, in override grammar
    spaces: list[Any] = field(default_factory=list)  # several such spaces, one after the other
    points: Any = None  # jobs by name: a .csv or .json file, or a list of mappings
    mode: str = "grid"  # grid, zip, random or list
    n_trials: int | None = None  # how many points mode=random draws
    seed: int = 0  # of what is drawn
    repeat: int = 1  # each point with so many seeds, ranked as one
    seed_key: str = "seed"  # the key that holds a job's seed
    when: Any = None  # a key is only swept where this holds
    filter: str | None = None  # only points whose config fulfils this expression
    output: str = "auto"  # auto (a table on a terminal, lines elsewhere), table, lines or json
    dry_run: bool = False  # show the jobs and start nothing
    resume: str | None = None  # go on with this sweep: its id, or latest
    resume_failed: bool = False  # run its failed jobs again too
    resume_changed: bool = False  # also when configs or code changed since
    reuse: bool = False  # take completed runs of the same config, code and data instead of running their jobs
    objective: ObjectiveConf = field(default_factory=ObjectiveConf)
    report: list[str] | None = None  # metrics shown beside the objective; every test_* when null
    max_failures: float = 0  # failed jobs tolerated: a count, or a share when below 1
    max_batch_size: int | None = None  # jobs handed at once to a launcher that is not podium's; all when null
    fail_fast: bool = False  # stop as soon as more jobs failed than max_failures tolerates
    check: str | None = None  # dotted function that refuses a job's config before any job starts
    key_ignores: list[str] = field(default_factory=list)  # sections that do not change what a job computes
    promotion: PromotionConf = field(default_factory=PromotionConf, metadata=PER_JOB)


@dataclass
class LauncherConf:
    """``hydra.launcher`` of an app that chose ``override hydra/launcher: podium``."""

    _target_: str = "hydra_plugins.podium.launcher.PodiumLauncher"
    settings_from: str | None = None  # the section of the config that holds these settings; here when null
    n_jobs: int | None = None  # jobs at once; the cores when null
    threads: int | None = None  # CPU threads of a job; an equal share of the cores when null
    preload: list[str] = field(default_factory=list)  # modules each job finds already imported
    grace_s: float = 10.0  # how long a stopped job may take to finish its run
    timeout: Any = None  # how long a job may take, 90 or 30m or 2h; no limit when null
    memory_limit: Any = None  # how much memory a job may use, 4GB; no limit when null
    retries: int = 0  # how often a job is tried again
    retry_on: list[str] = field(default_factory=lambda: ["signal", "exit", "lost"])  # for which reasons
    gpus: Any = None  # devices to share out, [0, 1]; jobs see all when null
    jobs_per_gpu: int = 1  # jobs at once on each of them
    isolation: str = "process"  # process: one per job; reuse: a child goes on with the next job


# A callback's config is no dataclass, because Hydra keeps callbacks in a dict of whatever each of them takes.
CALLBACKS: dict[str, Any] = {
    "podium": {
        "_target_": "tracking.integrations.hydra.TrackingCallback",
        "store": None,  # where the runs live; the sweeper's store, or experiments, when null
        "experiment": None,  # the runs' experiment; Hydra's name of the job when null
    }
}


@cache
def register() -> None:
    """Store the configs under the name ``podium``; once, since Hydra 1.4 objects to a second time."""
    store = ConfigStore.instance()
    store.store(group="hydra/sweeper", name="podium", node=SweeperConf, provider="podium")
    store.store(group="hydra/launcher", name="podium", node=LauncherConf, provider="podium")
    store.store(group="hydra/callbacks", name="podium", node=CALLBACKS, provider="podium")
