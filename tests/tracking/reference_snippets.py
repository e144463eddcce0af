"""The snippets of the documents: only the import path differs."""

BASIC_USAGE = """
from tracking import ExperimentTracker

# Initialize tracker
tracker = ExperimentTracker(base_dir='experiments')

# Create experiment run
run_id = tracker.create_run(
    experiment_name='ctr_model',
    tags={'version': 'v1', 'team': 'ml'},
    description='Testing higher learning rate'
)

# Log hyperparameters
tracker.log_params(run_id, {
    'learning_rate': 0.001,
    'batch_size': 128,
    'hidden_dims': [256, 128, 64],
    'dropout': 0.3
})

# Log metrics during training
for epoch in range(30):
    # ... training code ...
    tracker.log_metrics(run_id, {
        'train_loss': train_loss,
        'val_loss': val_loss,
        'val_auc': val_auc
    }, step=epoch)

# Log final test metrics
tracker.log_metrics(run_id, {
    'test_accuracy': test_acc,
    'test_auc': test_auc,
    'test_loss': test_loss
})

# Log artifacts
tracker.log_artifact(run_id, 'path/to/model_best.pt')
tracker.log_artifact(run_id, 'path/to/loss_curve.png')

# Mark as completed
tracker.finish_run(run_id, status='completed')
"""

TRAINING_SCRIPT = """
from tracking import ExperimentTracker

def main(config_path: str, output_dir: str = None, experiment_name: str = "ctr_model"):
    # Initialize experiment tracker
    tracker = ExperimentTracker()

    # Create experiment run
    run_id = tracker.create_run(
        experiment_name=experiment_name,
        tags={'config': config_path},
        description=f"Training run with config {config_path}"
    )

    # Load config
    config = load_config(config_path)

    # Log all parameters
    tracker.log_params(run_id, {
        'model_type': config['model']['type'],
        'hidden_dims': config['model']['hidden_dims'],
        'dropout': config['model']['dropout'],
        'batch_size': config['training']['batch_size'],
        'learning_rate': config['training']['learning_rate'],
        'weight_decay': config['training'].get('weight_decay', 0.0),
        'epochs': config['training']['epochs'],
        'early_stopping_patience': config['training']['early_stopping_patience']
    })

    # In the training loop, log metrics per epoch
    for epoch in range(1, epochs + 1):
        train_metrics = train_epoch(...)
        val_metrics = validate_epoch(...)

        # Log epoch metrics
        tracker.log_metrics(run_id, {
            'train_loss': train_metrics['loss'],
            'train_acc': train_metrics['accuracy'],
            'val_loss': val_metrics['loss'],
            'val_acc': val_metrics['accuracy'],
            'val_auc': val_metrics['auc']
        }, step=epoch)

    # After training, log final test metrics
    test_metrics = validate_epoch(model, test_loader, criterion, device, epoch=0)

    tracker.log_metrics(run_id, {
        'test_loss': test_metrics['loss'],
        'test_accuracy': test_metrics['accuracy'],
        'test_auc': test_metrics['auc']
    })

    # Log model artifact
    tracker.log_artifact(run_id, str(model_save_path), 'model_best.pt')

    # Finish run
    tracker.finish_run(run_id, status='completed')

    print(f"Experiment tracked: {run_id}")

    return output_dir, run_id
"""

BEST_RUN = """
from tracking import ExperimentTracker

tracker = ExperimentTracker()

# Get best run by AUC
best_run = tracker.get_best_run(
    metric='test_auc',
    experiment_name='ctr_model',
    mode='max'  # or 'min' for loss
)

print(f"Best run: {best_run['run_id']}")
print(f"Best AUC: {best_run['metrics']['test_auc'][-1]['value']:.4f}")
model_path = f"{best_run['run_dir']}/artifacts/model_best.pt"
"""

COMPARE = """
from tracking import ExperimentTracker
tracker = ExperimentTracker()

# Get all runs for experiment
runs = tracker.list_runs('ctr_model')
run_ids = [r['run_id'] for r in runs]

# Compare as DataFrame
import pandas as pd
comparison_df = tracker.compare_runs(run_ids)

# Sort by metric
comparison_df = comparison_df.sort_values('test_auc', ascending=False)

# Get top 3 runs
top_3 = comparison_df.head(3)
print(top_3[['run_id', 'learning_rate', 'test_auc']])
"""

DETAILS = """
from tracking import ExperimentTracker
tracker = ExperimentTracker()

# Get run details
run = tracker.get_run('run_001')

print(f"Run ID: {run['run_id']}")
print(f"Status: {run['status']}")
print(f"Created: {run['created_at']}")

print("\\nParameters:")
for k, v in run['params'].items():
    print(f"  {k}: {v}")

print("\\nMetrics:")
for metric_name, history in run['metrics'].items():
    if history:
        final_value = history[-1]['value']
        print(f"  {metric_name}: {final_value:.4f}")

# Access metric history
val_auc_history = run['metrics']['val_auc']
for entry in val_auc_history:
    print(f"Epoch {entry['step']}: {entry['value']:.4f}")
"""

SWEEP = """
import itertools
import yaml
from tracking import ExperimentTracker

# Define search space
learning_rates = [0.0001, 0.001, 0.01]
batch_sizes = [64, 128, 256]
hidden_configs = [
    [256, 128, 64],
    [512, 256, 128],
    [128, 64, 32]
]

tracker = ExperimentTracker()

# Generate all combinations
configs = list(itertools.product(learning_rates, batch_sizes, hidden_configs))

for i, (lr, bs, hidden) in enumerate(configs, 1):
    print(f"\\nExperiment {i}/{len(configs)}")
    print(f"LR={lr}, BS={bs}, Hidden={hidden}")

    # Create experiment run
    run_id = tracker.create_run(
        experiment_name='ctr_model_sweep',
        tags={'sweep': 'hyperparams'},
        description=f'Sweep {i}: lr={lr}, bs={bs}'
    )

    # Log params
    tracker.log_params(run_id, {
        'learning_rate': lr,
        'batch_size': bs,
        'hidden_dims': hidden
    })

    # Log results
    tracker.log_metrics(run_id, {'test_auc': 0.7 + i / 1000})
    tracker.finish_run(run_id)

# Compare all runs
best = tracker.get_best_run('test_auc', experiment_name='ctr_model_sweep')
print(f"\\nBest config: {best['params']}")
"""

TROUBLESHOOTING = """
from tracking import ExperimentTracker
# Check metrics file exists
import os
print(os.path.exists('experiments/runs/run_001/metrics.json'))

# Check metrics were logged
tracker = ExperimentTracker()
run = tracker.get_run('run_001')
print(run['metrics'])

# List all runs
tracker = ExperimentTracker()
runs = tracker.list_runs()
print([r['run_id'] for r in runs])

# Check metric name matches exactly
tracker = ExperimentTracker()
run = tracker.get_run('run_001')
print(run['metrics'].keys())  # Check exact metric names
"""
