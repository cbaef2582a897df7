package recipe

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inertKeys are the keys of transformers' TrainingArguments (4.36 to 5.24), of TRL's SFTConfig, DPOConfig, ModelConfig
// and ScriptArguments (0.7 to 1.16), of alignment-handbook and of the original code's classes that are accepted
// although Config has no field for them. A key with a nil list cannot change what is trained, measured or written,
// whatever its value: it concerns the Python process, its dashboards or its launchers, or sets up another key that
// is off. A key with a list may: the listed values (and null) ask for what bfpo does anyway, and any other value
// is refused as not supported. The key "outer.inner" is a key of the mapping outer.
var inertKeys = map[string][]string{
	// the Python process
	"_n_gpu": nil, "batch_eval_metrics": nil, "dataloader_multiprocessing_context": nil, "dataloader_num_workers": nil,
	"dataloader_persistent_workers": nil, "dataloader_pin_memory": nil, "dataloader_prefetch_factor": nil,
	"dataset_batch_size": nil, "dataset_num_proc": nil, "ddp_backend": nil, "ddp_broadcast_buffers": nil,
	"ddp_bucket_cap_mb": nil, "ddp_find_unused_parameters": nil, "ddp_static_graph": nil, "ddp_timeout": nil, "debug": nil,
	"disable_tqdm": nil, "do_train": nil, "enable_jit_checkpoint": nil, "eval_accumulation_steps": nil,
	"eval_do_concat_batches": nil, "eval_use_gather_object": nil, "full_determinism": nil, "ignore_bias_buffers": nil,
	"include_for_metrics": nil, "include_inputs_for_metrics": nil, "include_num_input_tokens_seen": nil,
	"include_tokens_per_second": nil, "jit_mode_eval": nil, "label_names": nil, "local_rank": nil,
	"model_code_revision": nil, "mp_parameters": nil, "past_index": nil, "precompute_ref_batch_size": nil,
	"prediction_loss_only": nil, "preprocessing_num_workers": nil, "ray_scope": nil, "remove_unused_columns": nil,
	"restore_callback_states_from_checkpoint": nil, "save_on_each_node": nil, "skip_memory_metrics": nil,
	"smart_label": nil, "tpu_metrics_debug": nil, "tpu_num_cores": nil, "trust_remote_code": nil, "use_ipex": nil,
	"use_legacy_prediction_loop": nil,
	// how a step is computed, not what it computes
	"activation_checkpointing_kwargs": nil, "activation_offloading": nil, "attn_implementation": nil,
	"gradient_checkpointing_kwargs": nil, "gradient_checkpointing_use_reentrant": nil, "label_pad_token_id": nil,
	"liger_kernel_config": nil, "pad_to_multiple_of": nil, "padding_free": nil, "padding_value": nil,
	"torch_compile": nil, "torch_compile_backend": nil, "torch_compile_mode": nil, "torch_empty_cache_steps": nil,
	"torchdynamo": nil, "use_cache": nil, "use_flash_attention_2": nil, "use_liger": nil, "use_liger_kernel": nil,
	"use_liger_loss": nil, "use_logits_to_keep": nil,
	// the terminal and dashboards; metrics.jsonl has every step
	"log_level": nil, "log_level_replica": nil, "log_on_each_node": nil, "logging_dir": nil, "logging_first_step": nil,
	"logging_nan_inf_filter": nil, "logging_strategy": nil, "project": nil, "run_name": nil, "trackio_bucket_id": nil,
	"trackio_space_id": nil, "trackio_static_space_id": nil,
	// settings of keys that are themselves off: push_to_hub, use_peft, fp16, fsdp and so on
	"base_model_attribute_name": nil, "base_model_revision": nil, "bnb_4bit_quant_storage": nil,
	"bnb_4bit_quant_type": nil, "chars_per_token": nil, "f_alpha_divergence_coef": nil,
	"fp16_backend": nil, "fp16_opt_level": nil, "fsdp_config": nil, "fsdp_min_num_params": nil,
	"fsdp_transformer_layer_cls_to_wrap": nil, "half_precision_backend": nil, "hub_always_push": nil,
	"hub_model_id": nil, "hub_model_revision": nil, "hub_private_repo": nil, "hub_revision": nil, "hub_strategy": nil,
	"hub_token": nil, "length_column_name": nil, "lora_alpha": nil, "lora_dropout": nil, "lora_modules_to_save": nil,
	"lora_r": nil, "lora_target_modules": nil, "lora_target_parameters": nil, "lora_task_type": nil,
	"model_adapter_name": nil, "num_of_sequences": nil, "push_to_hub_model_id": nil, "push_to_hub_organization": nil,
	"push_to_hub_token": nil, "ref_adapter_name": nil, "ref_model_mixup_alpha": nil, "ref_model_sync_steps": nil,
	"use_bnb_nested_quant": nil, "use_dora": nil, "use_rslora": nil,

	// the device
	"bf16_full_eval": {"false"}, "deepspeed": {}, "fp16": {"false"}, "fp16_full_eval": {"false"}, "fsdp": {"", "false"},
	"no_cuda": {"false"}, "parallelism_config": {}, "use_cpu": {"false"}, "use_mps_device": {"false"},
	// the rows and their text
	"accelerator_config": {}, "accelerator_config.dispatch_batches": {"true", "false"},
	"accelerator_config.even_batches": {"true"}, "accelerator_config.non_blocking": {"true", "false"},
	"accelerator_config.split_batches": {"false"}, "accelerator_config.use_seedable_sampler": {"true", "false"},
	"assistant_only_loss": {"false"}, "auto_insert_empty_system_msg": {"false"}, "completion_only_loss": {"false"},
	"config": {}, "data_collator": {}, "dataloader_drop_last": {"false"}, "dataloader_in_order": {"true"},
	"dataset_config": {}, "dataset_configs": {}, "dataset_kwargs": {}, "dataset_kwargs.add_special_tokens": {"false"},
	"dataset_kwargs.append_concat_token": {"false"}, "dataset_kwargs.skip_prepare_dataset": {"false"},
	"dataset_mixture": {}, "dataset_streaming": {"false"}, "datasets": {},
	"dispatch_batches": {"true", "false"}, "eval_packing": {}, "group_by_length": {"false"},
	"ignore_data_skip": {"false"}, "is_encoder_decoder": {"false"}, "max_completion_length": {}, "max_target_length": {},
	"packing_strategy": {"bfd", "bfd_split"}, "pad_token": {}, "per_gpu_eval_batch_size": {},
	"per_gpu_train_batch_size": {}, "shuffle_dataset": {"true", "false"}, "split_batches": {"false"},
	"streaming": {"false"}, "test_split_size": {}, "text_column": {"text"}, "tokenizer_name_or_path": {}, "tools": {},
	"train_sampling_strategy": {"random"}, "truncation_mode": {"keep_end"},
	// the model and the loss
	"adafactor": {"false"}, "auto_find_batch_size": {"false"}, "average_tokens_across_devices": {"true"},
	"disable_dropout": {"true"}, "f_divergence_type": {"reverse_kl", "FDivergenceType.REVERSE_KL"},
	"force_use_ref_model": {"true", "false"}, "label_smoothing_factor": {"0"}, "ld_alpha": {},
	"load_in_4bit": {"false"}, "load_in_8bit": {"false"}, "loss_weights": {}, "lr_scheduler_kwargs": {},
	"model_init_kwargs": {}, "neftune_noise_alpha": {"0"}, "optim_args": {}, "optim_target_modules": {},
	"ref_model_init_kwargs": {}, "reference_free": {"false"}, "router_aux_loss_coef": {}, "rpo_alpha": {},
	"sync_ref_model": {"false"}, "use_peft": {"false"}, "use_weighting": {"false"},
	// evaluating and saving
	"do_predict": {"false"}, "eval_delay": {"0"}, "eval_on_start": {"false"}, "greater_is_better": {"false"},
	"metric_for_best_model": {"loss", "eval_loss"}, "push_to_hub": {"false"}, "save_only_model": {"false"},
	"save_safetensors": {"true"},
}

// seedValues has the values that differ from those of inertKeys with text_format: seed. The original code inserts an
// empty system message, and takes the mean of the means of micro-batches.
var seedValues = map[string][]string{
	"auto_insert_empty_system_msg": {"true"}, "average_tokens_across_devices": {"false"}, "packing_strategy": {"wrapped"},
}

// insteadOf says what to use in place of a value that is not supported.
var insteadOf = map[string]string{
	"dataset_mixture": "list the datasets in dataset_mixer: {ID: FRACTION}",
	"deepspeed":       "mesh: fsdp shards the model over devices",
	"fsdp":            "mesh: fsdp shards the model over devices",
	"loss_weights":    "name one loss in loss_type",
	"text_column":     "rename the column to text",
	"truncation_mode": "truncation_side says which end of a prompt is cut off",
}

// harmlessValues returns the values of an inert key that change nothing; nil stands for every value.
func harmlessValues(key, textFormat string) []string {
	if values, ok := seedValues[key]; ok && textFormat == "seed" {
		return values
	}
	return inertKeys[key]
}

// isHarmless reports whether the value n of an inert key asks for what bfpo does anyway.
func isHarmless(key, textFormat string, n *yaml.Node) bool {
	allowed := harmlessValues(key, textFormat)
	n = dealias(n)
	if allowed == nil || isNull(n) || n.Kind != yaml.ScalarNode && len(n.Content) == 0 {
		return true
	}
	if n.Kind == yaml.MappingNode {
		return hasHarmlessValues(key, textFormat, n)
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

// hasHarmlessValues reports whether each value of a mapping asks for what bfpo does anyway. The mapping is the value of
// an outermost key, so that its values are not followed further.
func hasHarmlessValues(key, textFormat string, n *yaml.Node) bool {
	if strings.Contains(key, ".") {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		inner := key + "." + n.Content[i].Value
		if _, known := inertKeys[inner]; !known || !isHarmless(inner, textFormat, n.Content[i+1]) {
			return false
		}
	}
	return true
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
	keys := append([]string{"other_data_config"}, partKeys...)
	for _, f := range recipeFields(&Config{}) {
		keys = append(keys, f.key)
	}
	for key := range inertKeys {
		if !strings.Contains(key, ".") {
			keys = append(keys, key)
		}
	}
	for name := range otherNames {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}
