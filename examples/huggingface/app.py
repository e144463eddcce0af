"""Train a tiny BERT with Hugging Face's Trainer: which of two tokens is more frequent in a sequence? Nothing is downloaded."""

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

from tracking.integrations.huggingface import TrackingCallback

VOCABULARY = 8


class Sequences(torch.utils.data.Dataset):
    """Sequences of tokens, with the label 1 where the last token of the vocabulary outnumbers the one before it."""

    def __init__(self, rows: int, seed: int) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(1, VOCABULARY, (rows, 16), generator=draw)
        counts = [(self.tokens == token).sum(1) for token in (VOCABULARY - 1, VOCABULARY - 2)]
        self.labels = (counts[0] > counts[1]).long()

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.tokens[row], "labels": self.labels[row]}


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg: DictConfig) -> None:
    """Train and evaluate a model; the callback logs into the run of the job."""
    set_seed(cfg.seed)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=cfg.model.width,
        intermediate_size=cfg.model.width,
        num_hidden_layers=cfg.model.layers,
        num_attention_heads=2,
        max_position_embeddings=16,
    )
    arguments = TrainingArguments(
        HydraConfig.get().runtime.output_dir,
        eval_strategy="epoch",
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
        **cfg.training,
    )
    trainer = Trainer(
        BertForSequenceClassification(config),
        arguments,
        train_dataset=Sequences(cfg.rows, cfg.seed),
        eval_dataset=Sequences(500, cfg.seed + 1),
        compute_metrics=lambda told: {"accuracy": (told.predictions.argmax(1) == told.label_ids).mean()},
        callbacks=[TrackingCallback()],
    )
    trainer.train()
    trainer.evaluate(Sequences(500, cfg.seed + 2), metric_key_prefix="test")


if __name__ == "__main__":
    main()
