package recipe

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// synonyms are words of other programs, and short forms, for a key. They are suggested, not accepted.
var synonyms = map[string]string{
	"accumulate_grad_batches": "gradient_accumulation_steps", "accumulation_steps": "gradient_accumulation_steps",
	"algorithm": "objective", "base_model": "model_name_or_path", "batch": "per_device_train_batch_size",
	"batch_size": "per_device_train_batch_size", "bs": "per_device_train_batch_size",
	"clip_grad": "max_grad_norm", "clip_grad_norm": "max_grad_norm", "context_length": "max_length",
	"cutoff_len": "max_length", "data": "dataset_mixer", "data_path": "dataset_mixer", "dataset": "dataset_mixer",
	"device": "platform", "dpo_beta": "beta", "epochs": "num_train_epochs", "eps": "adam_epsilon",
	"eval_batch_size": "per_device_eval_batch_size", "eval_data_path": "eval_dataset_mixer",
	"eval_dataset": "eval_dataset_mixer", "eval_every": "eval_steps", "flash_attention": "attn_implementation",
	"ga": "gradient_accumulation_steps", "gpus": "devices", "grad_accum": "gradient_accumulation_steps",
	"grad_accum_steps": "gradient_accumulation_steps", "grad_clip": "max_grad_norm",
	"gradient_accumulation": "gradient_accumulation_steps", "gradient_clipping": "max_grad_norm",
	"layers": "selected_layers", "log_every": "logging_steps", "log_steps": "logging_steps",
	"logger": "report_to", "loss": "loss_type", "lr": "learning_rate", "lr_scheduler": "lr_scheduler_type",
	"max_len": "max_length", "max_norm": "max_grad_norm", "max_seq_len": "max_seq_length",
	"max_train_steps": "max_steps", "method": "objective", "micro_batch_size": "per_device_train_batch_size",
	"model": "model_name_or_path", "model_name": "model_name_or_path", "model_path": "model_name_or_path",
	"n_epochs": "num_train_epochs", "n_gpu": "devices", "num_devices": "devices",
	"num_epochs": "num_train_epochs", "num_gpus": "devices", "optimizer": "optim", "out": "output_dir",
	"out_dir": "output_dir", "output": "output_dir", "overwrite": "overwrite_output_dir",
	"per_device_batch_size": "per_device_train_batch_size",
	"precision":             "torch_dtype", "processing_class": "model_name_or_path", "prompt_template": "chat_template",
	"resume": "resume_from_checkpoint", "save_dir": "output_dir", "save_every": "save_steps",
	"scheduler": "lr_scheduler_type", "seq_len": "max_length", "sequence_len": "max_length", "steps": "max_steps",
	"target_modules": "selected_layers", "template": "chat_template", "tokenizer": "model_name_or_path",
	"total_steps": "max_steps", "trackers": "report_to", "train_batch_size": "per_device_train_batch_size",
	"train_data": "dataset_mixer", "train_dataset": "dataset_mixer", "train_file": "dataset_mixer",
	"training_steps": "max_steps", "val_data": "eval_dataset_mixer", "validation_data": "eval_dataset_mixer",
	"validation_file": "eval_dataset_mixer", "warmup": "warmup_ratio", "wd": "weight_decay",
}

// choiceSynonyms are words of other programs for a value of a key that accepts a fixed list of words.
var choiceSynonyms = map[string]map[string]string{
	"loss_type":   {"dpo": "sigmoid", "sft": "nll", "ce": "nll", "cross_entropy": "nll"},
	"platform":    {"gpu": "cuda", "nvidia": "cuda", "xla": "auto"},
	"optim":       {"adam": "adamw_torch", "adamw": "adamw_torch"},
	"torch_dtype": {"bf16": "bfloat16", "fp32": "float32", "float": "float32", "f32": "float32"},
}

// suggestChoice is suggestKey for a value of a key that accepts a fixed list of words.
func suggestChoice(key, value string, known []string) string {
	value = strings.ToLower(value)
	if to, ok := choiceSynonyms[key][value]; ok {
		return fmt.Sprintf("; did you mean %s?", to)
	}
	return usage.DidYouMean(value, known)
}

// suggestKey returns the end of an error message about an unknown key: a suggestion, or "" where no key is near.
func suggestKey(key string) string {
	plain := strings.ReplaceAll(strings.ToLower(strings.TrimLeft(key, "-")), "-", "_")
	if to, ok := synonyms[plain]; ok {
		return fmt.Sprintf("; did you mean %s?", to)
	}
	return usage.DidYouMean(plain, recipeKeys())
}
