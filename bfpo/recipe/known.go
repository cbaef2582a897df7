package recipe

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inertKeys are the keys of transformers 4.36 TrainingArguments, of TRL and of the original code's classes that are
// accepted although Config has no field for them. A key with a nil list has no effect here, whatever its value: it
// concerns the Python process, its dashboards or its launchers. A key with a list may change what is trained: the
// listed values (and null) leave training unchanged, and any other value is refused as not supported.
var inertKeys = map[string][]string{
	// the Python process
	"bf16_full_eval": nil, "data_collator": nil, "dataloader_num_workers": nil,
	"dataloader_persistent_workers": nil, "dataloader_pin_memory": nil, "dataset_num_proc": nil,
	"ddp_backend": nil, "ddp_broadcast_buffers": nil, "ddp_bucket_cap_mb": nil, "ddp_find_unused_parameters": nil,
	"ddp_timeout": nil, "debug": nil, "deepspeed": nil, "disable_tqdm": nil, "dispatch_batches": nil,
	"do_predict": nil, "do_train": nil, "eval_accumulation_steps": nil, "fp16_backend": nil,
	"fp16_full_eval": nil, "fp16_opt_level": nil, "full_determinism": nil, "gradient_checkpointing_kwargs": nil,
	"half_precision_backend": nil, "include_inputs_for_metrics": nil, "include_num_input_tokens_seen": nil,
	"include_tokens_per_second": nil, "jit_mode_eval": nil, "label_names": nil, "length_column_name": nil,
	"local_rank": nil, "no_cuda": nil, "past_index": nil, "prediction_loss_only": nil,
	"preprocessing_num_workers": nil, "ray_scope": nil, "remove_unused_columns": nil, "save_on_each_node": nil,
	"save_safetensors": nil, "skip_memory_metrics": nil, "torch_compile": nil, "torch_compile_backend": nil,
	"torch_compile_mode": nil, "torchdynamo": nil, "tpu_metrics_debug": nil, "tpu_num_cores": nil,
	"trust_remote_code": nil, "use_cpu": nil, "use_flash_attention_2": nil, "attn_implementation": nil,
	"use_ipex": nil, "use_legacy_prediction_loop": nil, "use_mps_device": nil, "model_code_revision": nil,
	"smart_label": nil,
	// logs and the hub
	"log_level": nil, "log_level_replica": nil, "log_on_each_node": nil, "logging_dir": nil,
	"logging_first_step": nil, "logging_nan_inf_filter": nil, "logging_strategy": nil, "run_name": nil,
	"hub_always_push": nil, "hub_model_id": nil, "hub_model_revision": nil, "hub_private_repo": nil,
	"hub_strategy": nil, "hub_token": nil, "push_to_hub_model_id": nil, "push_to_hub_organization": nil,
	"push_to_hub_token": nil,
	// settings of keys that are themselves off
	"base_model_revision": nil, "bnb_4bit_quant_type": nil, "use_bnb_nested_quant": nil, "lora_r": nil,
	"lora_alpha": nil, "lora_dropout": nil, "lora_target_modules": nil, "lora_modules_to_save": nil,
	"fsdp_config": nil, "fsdp_min_num_params": nil, "fsdp_transformer_layer_cls_to_wrap": nil,

	"adafactor": {"false"}, "auto_find_batch_size": {"false"}, "auto_insert_empty_system_msg": {"true"},
	"dataloader_drop_last": {"false"}, "eval_delay": {"0"}, "fp16": {"false"}, "fsdp": {"", "false"},
	"greater_is_better": {"false"}, "group_by_length": {"false"}, "ignore_data_skip": {"false"},
	"label_smoothing": {"0"}, "label_smoothing_factor": {"0"}, "load_in_4bit": {"false"},
	"load_in_8bit": {"false"}, "lr_scheduler_kwargs": {}, "metric_for_best_model": {"loss", "eval_loss"},
	"neftune_noise_alpha": {}, "optim_args": {}, "per_gpu_train_batch_size": {}, "per_gpu_eval_batch_size": {},
	"push_to_hub": {"false"}, "reference_free": {"false"}, "split_batches": {"false"},
	"truncation_mode": {"keep_end"}, "use_peft": {"false"},
}

// isHarmless reports whether the value n of an inert key leaves training unchanged.
func isHarmless(key string, n *yaml.Node) bool {
	allowed := inertKeys[key]
	n = dealias(n)
	if allowed == nil || isNull(n) || n.Kind != yaml.ScalarNode && len(n.Content) == 0 {
		return true
	}
	if n.Kind != yaml.ScalarNode {
		return false
	}
	var b bool
	var x float64
	switch {
	case decodeBool(n, &b) == nil:
		return slices.Contains(allowed, map[bool]string{true: "true", false: "false"}[b])
	case decodeFloat(n, &x) == nil:
		return x == 0 && slices.Contains(allowed, "0")
	}
	return slices.Contains(allowed, strings.TrimSpace(n.Value))
}

// otherTrackers are Hugging Face's trackers other than tensorboard. Naming one is not an error, but nothing is sent
// to it.
var otherTrackers = []string{"azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "mlflow",
	"neptune", "swanlab", "trackio", "wandb"}

// splitReportTo splits a report_to list into the trackers that are written and the ones that are ignored; unknown is
// a name that is neither. Event files are cheap and local, so only an empty list or none turns them off.
func splitReportTo(names []string) (kept, ignored []string, unknown string) {
	for _, name := range names {
		switch {
		case slices.Contains(otherTrackers, name):
			ignored = append(ignored, name)
		case name != "tensorboard" && name != "all" && name != "none":
			return nil, nil, name
		}
	}
	if len(names) == 0 || len(names) == 1 && names[0] == "none" {
		return nil, nil, ""
	}
	return []string{"tensorboard"}, ignored, ""
}

// recipeKeys lists all keys that a recipe may have, for suggestions.
func recipeKeys() []string {
	keys := []string{"other_data_config", "model_revision"}
	for _, f := range recipeFields(&Config{}) {
		keys = append(keys, f.key)
	}
	for key := range inertKeys {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
