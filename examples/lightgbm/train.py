"""Train models of LightGBM with early stopping; each is a run."""

import lightgbm
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from tracking.integrations.lightgbm import TrackingCallback

rows, labels = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(rows, labels, random_state=0)
x_train, x_valid, y_train, y_valid = train_test_split(x_train, y_train, random_state=0)

for num_leaves in (4, 8, 16):
    settings = {
        "objective": "binary",
        "metric": ["auc", "binary_logloss"],
        "num_leaves": num_leaves,
        "verbose": -1,
    }
    seen = lightgbm.Dataset(x_train, y_train)
    with TrackingCallback("biopsies") as callback:
        model = lightgbm.train(
            settings, seen, 200, valid_sets=[seen.create_valid(x_valid, y_valid)], valid_names=["valid"],
            callbacks=[callback, lightgbm.early_stopping(10, verbose=False)],
        )  # fmt: skip
        callback.run.log({"test_auc": roc_auc_score(y_test, model.predict(x_test))})
    print(f"{num_leaves} leaves: the best round is {model.best_iteration}")
