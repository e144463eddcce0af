"""Typed configs of the plug-ins: the keys, types and defaults of ``hydra.sweeper.*`` and ``hydra.launcher.*``.

Every Hydra app on the machine imports this module, so it imports nothing but Hydra's config store and what that needs.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

# Only the sweep's own value is read, so a job's may differ, as the name of a model that follows a group.
PER_JOB = {"per_job": True}


@dataclass
class ObjectiveConf:
    """What the sweep optimises."""

    metric: str | None = None  # a logged metric; the task's return value when null
    # max or min; when null, min for a loss or an error, by the metric's name, and max otherwise
    mode: str | None = None
    at: str = "best"  # the value of a run that counts: best or last


@dataclass
class RulesConf:
    """What a challenger must show; `docs/sweeps.md` explains each rule."""

    min_gain: float = 0.0  # the gain on the champion must be above this, chance allowed for
    superiority: bool = True  # whether it must be better; if not, not_worse says how much worse it may be
    # guards: measure -> how much worse it may be, such as log_loss: 0.01, latency_p95: 20%, size: 50%
    not_worse: dict[str, Any] | None = field(default_factory=dict)
    slices: dict[str, Any] | None = field(
        default_factory=dict
    )  # column -> how much worse each of its values may be
    thresholds: dict[str, float | None] = field(
        default_factory=dict
    )  # what even the first must reach; null: nothing


@dataclass
class PromotionConf:
    """Whether the winner is registered as a model, and what makes it the champion."""

    promote: bool = False
    model_name: str | None = None
    # dotted function that scores a version on the rows of the split; the recorded values decide when null
    scorer: str | None = None
    split: str | None = (
        "auto"  # the rows that decide: those that the scorer keeps (auto), or a file of labelled rows
    )
    alpha: float = 0.05  # how often chance may promote, over all looks at one split
    looks: int | None = None  # how many looks at a split are planned; any number when null
    draws: int = 2000  # of the bootstrap
    bootstrap_seed: int = 0  # of its random draws
    cluster: str | None = None  # column whose equal values are drawn together
    min_rows: int = 100  # fewer rows decide nothing
    timeout_s: float = 900.0  # limit of the time of scoring
    require_rerun: bool = False  # promote only what was made again with the same result
    allow: list[str] = field(default_factory=list)  # packages that a scorer may import for a model
    rules: Any = field(default_factory=RulesConf)
    files: list[str] = field(default_factory=lambda: ["model_best.pt"])
    loader: str | None = None


@dataclass
class NotifyConf:
    """Where alerts go, and which events they are about."""

    # addresses: command:..., https://..., smtp://..., those of Apprise; keep secrets in ${oc.env:NAME}
    to: Any = field(default_factory=list)
    # of promoted, refused, finished, failed, best
    on: Any = field(default_factory=lambda: ["promoted", "finished", "failed"])


@dataclass
class SweeperConf:
    """``hydra.sweeper`` of an app that chose ``override hydra/sweeper: podium``."""

    _target_: str = "hydra_plugins.podium.sweeper.PodiumSweeper"
    store: str = "experiments"  # the folder of runs/, sweeps/ and models/
    settings_from: str | None = None  # the section that holds these settings; this one when null
    # the sweep's id; the time of its start when null
    name: str | None = field(default=None, metadata=PER_JOB)
    params: Any = None  # swept keys, in override grammar
    spaces: list[Any] = field(default_factory=list)  # several such spaces, one after the other
    points: Any = None  # given points: a .csv or .json file, or a list of mappings
    mode: str = "grid"  # grid, zip, random or list; or a search: tpe, gp, cmaes, nsga2 or qmc
    n_trials: int | None = None  # how many points mode=random draws, or how many jobs a search has in all
    seed: int = 0  # of random draws and of a search
    repeat: int = 1  # how many seeds each point runs with; they are ranked as one
    seed_key: str = "seed"  # the key of a job's seed
    # other keys whose values only repeat a candidate, such as the fold
    repeat_keys: list[str] = field(default_factory=list)
    when: Any = None  # sweep a key only where this condition holds
    filter: str | None = None  # run only the points whose config satisfies this expression
    schedule: str = "none"  # which jobs stop early: none, asha (pauses all but the best) or median
    min_epochs: int | None = None  # after how many values of the objective the first judgement is
    # how many values of the objective a whole job logs; auto if that is not known before it runs
    max_epochs: Any = field(default=None, metadata=PER_JOB)
    eta: float = 2.0  # one job of so many goes on at each judgement
    resumes: bool = False  # whether a job that is started again goes on from a checkpoint of its own
    budget: Any = None  # when a search is over: epochs of all jobs together (400), or a time (2h)
    target: float | None = None  # a search is over when the objective reaches it
    patience: int | None = None  # a search is over after so many jobs without a better one
    # how many jobs of a search repeat the best with new seeds: a share of the jobs, or their number
    confirm: Any = "10%"
    constraints: list[str] = field(default_factory=list)  # bounds of metrics: val_latency_ms <= 5
    enqueue: Any = field(default_factory=list)  # points that a search begins with, as points
    enqueue_defaults: bool = True  # whether the values of the config are the first point of a search
    warm_start: str | None = None  # an earlier sweep whose jobs a search learns from, too
    space_function: str | None = None  # dotted function f(cfg, trial) that draws the points of a search
    output: str = "auto"  # auto (a table on a terminal, lines elsewhere), table, lines or json
    dry_run: bool = False  # show the jobs and start nothing
    resume: str | None = None  # continue this sweep: its id, or latest
    resume_failed: bool = False  # run its failed jobs again, too
    resume_changed: bool = False  # accept changed configs or code
    reuse: bool = False  # take completed jobs of the same config, code and data instead of running them again
    # an ObjectiveConf, or a list of them; null is the default one. It is no default here, because Hydra merges no list into it
    objective: Any = field(default=None, metadata={"shape": ObjectiveConf})
    report: list[str] | None = None  # metrics shown beside the objective; every test_* and test/* when null
    report_html: bool = True  # whether the sweep writes report.html and report.md into its folder at its end
    max_failures: float = 0  # failed jobs tolerated: a count, or a share when below 1
    max_batch_size: int | None = None  # jobs handed at once to a launcher that is not podium's; all when null
    fail_fast: bool = False  # stop as soon as more jobs failed than max_failures tolerates
    check: str | None = None  # dotted function that refuses a job's config with a ValueError
    fuse_key: str | None = (
        None  # dotted function: jobs whose configs it gives the same text may share a process
    )
    # top-level sections that do not change what a job computes
    key_ignores: list[str] = field(default_factory=list)
    # dotted function that is called with the folder of the winner's run, before its promotion, in a process of its own
    winner: str | None = None
    promotion: Any = field(default_factory=PromotionConf, metadata=PER_JOB)
    notify: Any = field(default_factory=NotifyConf)


@dataclass
class LauncherConf:
    """``hydra.launcher`` of an app that chose ``override hydra/launcher: podium``."""

    _target_: str = "hydra_plugins.podium.launcher.PodiumLauncher"
    settings_from: str | None = None  # the section that holds these settings; this one when null
    n_jobs: int | None = None  # jobs at once; the number of cores when null or -1, one less when -2
    threads: int | None = None  # CPU threads of a job; an equal share of the cores when null
    preload: list[str] = field(default_factory=list)  # modules each job finds already imported
    grace_s: float = (
        10.0  # how long a stopped job gets to finish its run, and a process to end after its task
    )
    timeout: Any = None  # limit of a job's time, 90 or 30m or 2h; none when null
    memory_limit: Any = None  # limit of a job's memory, 4GB; none when null
    retries: int = 0  # how often a job is retried
    # the reasons to retry for
    retry_on: list[str] = field(default_factory=lambda: ["signal", "exit", "lost"])
    gpus: Any = None  # devices to share out, [0, 1]; jobs see all when null
    jobs_per_gpu: int = 1  # jobs at once on each of them
    isolation: str = "process"  # process: a child process per job; reuse: a child runs several jobs in turn
    fusion: str = "exact"  # exact: jobs of one group share a process, see fuse_key and many; off: none do
    fusion_size: int = 16  # the most jobs at once in a shared process
    many: str | None = None  # dotted function that does the task for a list of configs at once


@dataclass
class DaskLauncherConf(LauncherConf):
    """``hydra.launcher`` of an app that chose ``override hydra/launcher: podium_dask``; `n_jobs` and all limits hold on each node."""

    _target_: str = "hydra_plugins.podium.launcher.PodiumDaskLauncher"
    _recursive_: bool = False  # the cluster is no part of the plug-in that Hydra makes
    address: str | None = (
        None  # a scheduler that runs, tcp://host:8786; one is started on this machine when null
    )
    cluster: Any = None  # _target_ of a class of Dask clusters with its arguments; it is started, and ended after the sweep
    scale: int | None = None  # how many workers that cluster is kept at; as many as it begins with when null
    lease_s: float = 30.0  # a node that hears nothing for so long stops its jobs


@dataclass
class RayLauncherConf(LauncherConf):
    """``hydra.launcher`` of an app that chose ``override hydra/launcher: podium_ray``; `n_jobs` and all limits hold on each node."""

    _target_: str = "hydra_plugins.podium.launcher.PodiumRayLauncher"
    # a Ray that runs: host:6379, ray://host:10001, or auto for the one on this machine; RAY_ADDRESS, or one that is started, when null
    address: str | None = None
    num_cpus: float = 1.0  # CPUs of Ray that each job takes
    num_gpus: float = 0.0  # GPUs that each job takes; 0.5 is a half
    resources: Any = None  # further resources of Ray that each job takes, by name: {fast_disk: 1}
    nodes: int | None = None  # the most nodes, of n_jobs jobs each; as many as Ray has room for when null
    lease_s: float = 30.0  # a node that hears nothing for so long stops its jobs


# A callback's config is no dataclass, because Hydra keeps all callbacks in one dict.
CALLBACKS: dict[str, Any] = {
    "podium": {
        "_target_": "hydra_plugins.podium.packages.tracking_callback",
        "store": None,  # the folder of the runs; the sweeper's store, or experiments, when null
        "experiment": None,  # the runs' experiment; Hydra's name of the job when null
    }
}


def register() -> None:
    """Store the configs under names that begin with ``podium``, unless they are there: Hydra 1.4 warns of a second time.

    A process that another launcher starts gets the whole store before it looks for plug-ins.
    """
    store = ConfigStore.instance()
    for group, name, node in (
        ("hydra/sweeper", "podium", _open(SweeperConf)),
        ("hydra/launcher", "podium", _open(LauncherConf)),
        ("hydra/launcher", "podium_dask", _open(DaskLauncherConf)),
        ("hydra/launcher", "podium_ray", _open(RayLauncherConf)),
        ("hydra/callbacks", "podium", CALLBACKS),
    ):
        if not _is_stored(store, group, name):
            store.store(group=group, name=name, node=node, provider="podium")


def _is_stored(store: ConfigStore, group: str, name: str) -> bool:
    folder: Any = store.repo
    for part in group.split("/"):
        folder = folder.get(part, {})
    return f"{name}.yaml" in folder


def _open(conf: type) -> DictConfig:
    """Return a typed config that takes unknown keys, which `sweeps.settings` refuses with the allowed ones.

    For the same reason the type of a field that holds such a config is Any.
    """
    config: DictConfig = OmegaConf.structured(conf)
    nodes: list[Any] = [config]
    while nodes:
        node = nodes.pop()
        if isinstance(node, DictConfig) and not node._is_none():
            node._set_flag("struct", False)
            nodes += [node._get_node(name) for name in node]
    return config
