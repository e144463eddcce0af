"""Search the settings of a forest with scikit-learn, and log what it tried."""

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import RandomizedSearchCV

from tracking.integrations.sklearn import log_search

rows, labels = load_breast_cancer(return_X_y=True)
search = RandomizedSearchCV(
    RandomForestClassifier(n_estimators=20, random_state=0),
    {"max_depth": range(1, 9), "min_samples_leaf": [1, 2, 4]},
    n_iter=6,
    scoring=["roc_auc", "neg_log_loss"],
    refit="roc_auc",
    cv=3,
    random_state=0,
).fit(rows, labels)
run_ids = log_search(search)
print(f"the best of {len(run_ids)}: {run_ids[search.best_index_]}, {search.best_params_}")
