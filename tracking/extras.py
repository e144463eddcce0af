"""The optional parts of podium: which modules each extra of the distribution installs, and one error for all.

Code asks here before it imports such a module. That an extra is absent is found before any work is done.
"""

from importlib.util import find_spec

from tracking.errors import MissingExtraError

# What the import of a library raises that is installed and does not work, such as one built for another NumPy.
BROKEN = (ImportError, AttributeError, OSError, RuntimeError, ValueError)

_SWEEPS = ("hydra", "omegaconf", "joblib", "cloudpickle", "greenlet")
_DASHBOARD = ("starlette", "uvicorn")
_GATE = ("numpy", "scipy")
# As in pyproject.toml; the names are those that code imports.
EXTRAS: dict[str, tuple[str, ...]] = {
    "plots": ("matplotlib",),
    "frames": ("pandas",),
    "parquet": ("pyarrow",),
    "notify": ("apprise",),
    "mlflow": ("alembic", "mlflow", "sqlalchemy"),
    "dashboard": _DASHBOARD,
    "gate": _GATE,
    "sweeps": _SWEEPS,
    "dask": (*_SWEEPS, "distributed"),
    "ray": (*_SWEEPS, "ray"),
    "search": (*_SWEEPS, *_GATE, "cmaes", "optuna", "threadpoolctl"),
    "trainer": (*_SWEEPS, *_GATE, "matplotlib", "pandas", "pyarrow", "sklearn", "torch", *_DASHBOARD),
    "excel": ("openpyxl",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
}


def require(extra: str) -> None:
    """Raise MissingExtraError if a module of an extra is not installed; import none."""
    message = missing(extra)
    if message is not None:
        raise MissingExtraError(message)


def missing(extra: str) -> str | None:
    """Return what is not installed of an extra and how to install it, None if all is there."""
    absent = [name for name in EXTRAS[extra] if not _is_installed(name)]
    if not absent:
        return None
    verb, them = ("is", "it") if len(absent) == 1 else ("are", "them")
    return f'{", ".join(absent)} {verb} not installed; pip install "podium[{extra}]" installs {them}'


def _is_installed(name: str) -> bool:
    spec = find_spec(name)
    # A folder of that name in the working folder, such as hydra/ or mlflow/, has no origin.
    return spec is not None and spec.origin is not None
