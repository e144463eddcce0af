"""``python -m trainer``."""

import sys

try:
    from hydra_plugins.podium.early import import_early
    from hydra_plugins.podium.packages import load_own, namesakes
except ImportError:
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("hydra_plugins")
    if spec is None or spec.origin is None:
        raise
    sys.exit(
        f"error: {spec.origin!r} takes the place of the folder where Hydra looks for plug-ins; "
        "remove its __init__.py, or rename it"
    )
# The current folder comes first on the path, and what it holds may have any name.
load_own("sweeps")
if __name__ == "__main__":
    # Most of what a job imports, as conf/hydra/launcher has it. The variable is the one that `main` sets.
    import_early(["trainer.task"], "sweep", {"HYDRA_FULL_ERROR": "1"})
load_own("tracking")
from tracking import MissingExtraError  # noqa: E402 - only now is it podium's

try:
    from tracking.extras import require

    require("trainer")
    from trainer.app import main
except ImportError as error:
    if not isinstance(error, MissingExtraError):
        raise
    sys.exit(f"error: {error}")

if __name__ == "__main__":
    for warning in namesakes("tracking", "sweeps"):
        sys.stderr.write(f"warning: {warning}\n")
    main()
