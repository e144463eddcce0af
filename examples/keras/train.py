"""Train networks of Keras with several learning rates; each is a run."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
from sklearn.datasets import load_digits

from tracking.integrations.keras import TrackingCallback

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype("float32")

for learning_rate in (0.001, 0.01, 0.1):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(
        images,
        labels,
        batch_size=256,
        epochs=5,
        validation_split=0.25,
        callbacks=[TrackingCallback("digits")],
        verbose=0,
    )
