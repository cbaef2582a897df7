package recipe

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// otherNames are the names that newer or older versions of transformers and TRL have for a key, with the key's name
// here.
var otherNames = map[string]string{
	"activation_checkpointing": "gradient_checkpointing",
	"chat_template_path":       "chat_template",
	"dataset_name":             "dataset_mixer",
	"dtype":                    "torch_dtype",
	"eval_strategy":            "evaluation_strategy",
}

// partKeys are keys that set a part of another key's value.
var partKeys = []string{"model_revision", "dataset_train_split", "dataset_test_split"}

// synonyms are words of other programs, and short forms, for a key. They are suggested, not accepted.
var synonyms = map[string]string{
	"accumulate_grad_batches": "gradient_accumulation_steps", "accumulation_steps": "gradient_accumulation_steps",
	"algorithm": "objective", "base_model": "model_name_or_path", "batch": "per_device_train_batch_size",
	"batch_size": "per_device_train_batch_size", "bs": "per_device_train_batch_size", "clip_grad": "max_grad_norm",
	"clip_grad_norm": "max_grad_norm", "context_length": "max_length", "cutoff_len": "max_length",
	"data": "dataset_mixer", "data_path": "dataset_mixer", "dataset": "dataset_mixer", "device": "platform",
	"dpo_beta": "beta", "epochs": "num_train_epochs", "eps": "adam_epsilon", "eval_batch_size": "per_device_eval_batch_size", "eval_data_path": "eval_dataset_mixer", "eval_dataset": "eval_dataset_mixer",
	"eval_every": "eval_steps", "flash_attention": "attn_implementation", "ga": "gradient_accumulation_steps",
	"gpus": "devices", "grad_accum": "gradient_accumulation_steps", "grad_accum_steps": "gradient_accumulation_steps",
	"grad_clip": "max_grad_norm", "gradient_accumulation": "gradient_accumulation_steps",
	"gradient_clipping": "max_grad_norm", "layers": "selected_layers", "log_every": "logging_steps", "log_steps": "logging_steps", "logger": "report_to", "loss": "loss_type", "lr": "learning_rate", "lr_scheduler": "lr_scheduler_type", "max_len": "max_length", "max_norm": "max_grad_norm", "max_seq_len": "max_seq_length",
	"max_train_steps": "max_steps", "method": "objective", "micro_batch_size": "per_device_train_batch_size",
	"model": "model_name_or_path", "model_name": "model_name_or_path", "model_path": "model_name_or_path",
	"n_epochs": "num_train_epochs", "n_gpu": "devices", "num_devices": "devices", "num_epochs": "num_train_epochs",
	"num_gpus": "devices", "optimizer": "optim", "out": "output_dir", "out_dir": "output_dir", "output": "output_dir",
	"overwrite": "overwrite_output_dir", "precision": "torch_dtype", "processing_class": "model_name_or_path",
	"prompt_template": "chat_template", "resume": "resume_from_checkpoint", "save_dir": "output_dir",
	"save_every": "save_steps", "scheduler": "lr_scheduler_type", "seq_len": "max_length", "sequence_len": "max_length",
	"steps": "max_steps", "target_modules": "selected_layers", "template": "chat_template",
	"tokenizer": "model_name_or_path", "total_steps": "max_steps", "train_batch_size": "per_device_train_batch_size",
	"train_data": "dataset_mixer", "train_dataset": "dataset_mixer", "train_file": "dataset_mixer",
	"training_steps": "max_steps", "trackers": "report_to", "val_data": "eval_dataset_mixer", "validation_data": "eval_dataset_mixer", "validation_file": "eval_dataset_mixer", "warmup": "warmup_ratio", "wd": "weight_decay",
}

// suggestKey returns the end of an error message about an unknown key: a suggestion, or "" where no key is near.
func suggestKey(key string) string {
	plain := strings.ReplaceAll(strings.ToLower(strings.TrimLeft(key, "-")), "-", "_")
	if to, ok := synonyms[plain]; ok {
		return fmt.Sprintf("; did you mean %s?", to)
	}
	return usage.DidYouMean(plain, recipeKeys())
}

// withOurNames gives the keys of one file, one stage or the flags their names here. A file that gives a key under two
// names is an error, unless one of the values is null.
func withOurNames(entries []entry) ([]entry, error) {
	var renamed []entry
	var problems []error
	places := map[string]int{} // of the keys of a file in renamed
	for _, e := range entries {
		if err := e.rename(); err != nil {
			problems = append(problems, err)
			continue
		}
		first, twice := places[e.key]
		switch {
		case !twice || e.file == "":
			places[e.key] = len(renamed)
			renamed = append(renamed, e)
		case isNull(e.value):
		case isNull(renamed[first].value):
			renamed[first] = e
		default:
			problems = append(problems, fmt.Errorf("%s: %s: given twice, as %s in line %d", e.origin(), e.name(),
				renamed[first].name(), renamed[first].line))
		}
	}
	if len(problems) > 0 {
		return nil, &usage.Error{Err: errors.Join(problems...)}
	}
	return renamed, nil
}

// rename gives an entry its key's name here. The entry keeps the name that was given for messages.
func (e *entry) rename() error {
	e.given = e.key
	if name, ok := otherNames[e.key]; ok {
		e.key = name
	}
	switch e.key {
	case "warmup_steps": // since transformers 5 a number below 1 is a share of the steps
		var share float64
		if e.value.ShortTag() == "!!float" && decodeFloat(e.value, &share) == nil && share > 0 && share < 1 {
			e.key = "warmup_ratio"
		}
	case "loss_type": // TRL has lists of losses, which it adds up
		if e.value.Kind != yaml.SequenceNode {
			return nil
		}
		if len(e.value.Content) != 1 {
			return fmt.Errorf("%s: loss_type: a sum of %d losses is not supported; name one",
				e.origin(), len(e.value.Content))
		}
		e.value = dealias(e.value.Content[0])
	}
	return nil
}

// name returns the key as it was given.
func (e entry) name() string {
	if e.given == "" {
		return e.key
	}
	return e.given
}
