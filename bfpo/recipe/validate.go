package recipe

import (
	"cmp"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
)

// validate checks the range of every value and the keys that depend on each other, and refuses what is not supported.
func (c Config) validate() error {
	problems := slices.Concat(c.checkRanges(), c.checkChoices(), c.checkTogether(), c.checkEvaluation())
	if len(problems) > 0 {
		return &usage.Error{Err: errors.Join(problems...)}
	}
	return nil
}

// checkRanges checks the numbers.
func (c Config) checkRanges() (problems []error) {
	_, notDate := time.Parse(time.DateOnly, cmp.Or(c.ChatTemplateDate, time.DateOnly))
	rules := []struct {
		key  string
		ok   bool
		want string
	}{
		{"chat_template_date", notDate == nil, "a date such as 2026-11-30"},
		{"max_length", c.MaxLength >= 2, "at least 2"},
		{"max_prompt_length", c.MaxPromptLength >= 1, "at least 1"},
		{"max_seq_length", c.MaxSeqLength == 0 || c.MaxSeqLength >= 2, "at least 2, or 0 for the model's limit"},
		{"learning_rate", c.LearningRate >= 0, "0 or more"},
		{"warmup_ratio", c.WarmupRatio >= 0 && c.WarmupRatio <= 1, "between 0 and 1"},
		{"warmup_steps", c.WarmupSteps >= 0, "0 or more"},
		{"max_grad_norm", c.MaxGradNorm >= 0, "0 (no clipping) or more"},
		{"weight_decay", c.WeightDecay >= 0, "0 or more"},
		{"adam_beta1", c.AdamBeta1 >= 0 && c.AdamBeta1 < 1, "at least 0 and below 1"},
		{"adam_beta2", c.AdamBeta2 >= 0 && c.AdamBeta2 < 1, "at least 0 and below 1"},
		{"adam_epsilon", c.AdamEpsilon > 0, "greater than 0"},
		{"per_device_train_batch_size", c.PerDeviceTrainBatchSize >= 1, "at least 1"},
		{"per_device_eval_batch_size", c.PerDeviceEvalBatchSize >= 1, "at least 1"},
		{"gradient_accumulation_steps", c.GradientAccumulationSteps >= 1, "at least 1"},
		{"num_train_epochs", c.NumTrainEpochs > 0 || c.MaxSteps > 0, "greater than 0"},
		{"num_train_epochs", c.NumTrainEpochs <= math.MaxInt32, "a count of passes over the data"},
		{"seed", c.Seed >= 0, "0 or more"},
		{"data_seed", c.DataSeed >= 0, "0 or more"},
		{"devices", c.Devices >= 1, "at least 1"},
		{"logging_steps", c.LoggingSteps >= 1, "at least 1"},
		{"eval_steps", c.EvalSteps >= 1, "at least 1"},
		{"save_steps", c.SaveSteps >= 1, "at least 1"},
		{"save_total_limit", c.SaveTotalLimit >= 0, "0 (keep all) or more"},
		{"redteam_held_out", c.RedteamHeldOut >= 0 && c.RedteamHeldOut < 1, "0 or more and below 1"},
		{"redteam_max_tokens", c.RedteamMaxTokens >= 1, "at least 1"},
		{"redteam_temperature", c.RedteamTemperature > 0 && !math.IsInf(c.RedteamTemperature, 0),
			"greater than 0, so that two answers differ"},
		{"redteam_top_p", c.RedteamTopP > 0 && c.RedteamTopP <= 1, "greater than 0 and up to 1"},
	}
	for _, r := range rules {
		if !r.ok {
			f, _ := fieldOf(&c, r.key)
			problems = append(problems, c.UsageErrorf(r.key, "must be %s, got %v", r.want, f.value.Interface()))
		}
	}
	if err := c.TrainingObjective().Validate(); err != nil && len(c.Stages) == 0 { // each stage is checked by itself
		key, text, _ := strings.Cut(err.Error(), ": ")
		if key == "objective" {
			text += usage.DidYouMean(strings.ToLower(c.Objective), bfpo.Objectives())
		}
		problems = append(problems, c.UsageErrorf(key, "%s", text))
	}
	return append(problems, c.checkCounts()...)
}

// checkCounts refuses counts that no run can have, so that products of two of them stay far from overflow.
func (c Config) checkCounts() (problems []error) {
	for _, f := range recipeFields(&c) {
		if n, ok := f.value.Interface().(int); ok && n > math.MaxInt32 {
			problems = append(problems, c.UsageErrorf(f.key, "must be at most %d, got %d", math.MaxInt32, n))
		}
	}
	return problems
}

// checkChoices checks the keys that accept a fixed list of words.
func (c Config) checkChoices() (problems []error) {
	choices := []struct {
		key         string
		supported   []string
		unsupported []string // known words for things that are not built yet
	}{
		{"torch_dtype", []string{"", "auto", "float32", "bfloat16"}, []string{"float16"}},
		{"truncation_side", []string{"", "left", "right"}, nil},
		{"text_format", []string{"clean", "seed"}, nil},
		{"loss_type", append(lossTypes(), ""), []string{"kto_pair", "aot", "aot_pair", "aot_unpaired", "sigmoid_norm",
			"dft", "chunked_nll"}},
		{"bad_rows", []string{"drop", "refuse"}, nil},
		{"unlabelled", []string{"", "safe", "drop"}, nil},
		{"optim", []string{"adamw_torch", "adamw_torch_fused", "adamw_torch_xla", "adamw_apex_fused"}, []string{"adamw_hf",
			"adamw_torch_npu_fused", "adafactor", "adamw_anyprecision", "sgd", "adagrad", "adamw_bnb_8bit", "adamw_8bit",
			"lion_8bit", "lion_32bit", "paged_adamw_32bit", "paged_adamw_8bit", "paged_lion_32bit", "paged_lion_8bit",
			"rmsprop"}},
		{"lr_scheduler_type", []string{"linear", "cosine", "constant", "constant_with_warmup"}, []string{
			"cosine_with_restarts", "polynomial", "inverse_sqrt", "reduce_lr_on_plateau", "cosine_with_min_lr",
			"cosine_warmup_with_min_lr", "warmup_stable_decay", "greedy"}},
		{"gradient_checkpointing", []string{"true", "false", "auto"}, nil},
		{"evaluation_strategy", []string{"no", "steps", "epoch"}, nil},
		{"save_strategy", []string{"no", "steps", "epoch"}, []string{"best"}},
	}
	for _, choice := range choices {
		f, _ := fieldOf(&c, choice.key)
		switch value := f.value.String(); {
		case slices.Contains(choice.unsupported, value):
			problems = append(problems, c.UsageErrorf(choice.key, "%s is not supported yet; use %s",
				value, usage.OneOf(dropEmpty(choice.supported))))
		case !slices.Contains(choice.supported, value):
			problems = append(problems, c.UsageErrorf(choice.key, "%s is unknown; want %s%s",
				usage.Quote(value), usage.OneOf(dropEmpty(choice.supported)),
				suggestChoice(choice.key, value, slices.Concat(choice.supported, choice.unsupported))))
		}
	}
	platforms := []string{"auto", "cpu", "cuda", "go"}
	if !slices.Contains(platforms, c.Platform) && !LooksLikePath(c.Platform) {
		suggestion := ""
		if c.Platform != "tpu" { // which is near cpu, but nobody who writes it means that
			suggestion = suggestChoice("platform", c.Platform, []string{"cuda", "auto", "cpu"})
		}
		problems = append(problems, c.UsageErrorf("platform", "%q is unknown; want %s%s",
			c.Platform, usage.OneOf(append(platforms, "the path of a plugin")), suggestion))
	}
	return problems
}

// dropEmpty removes the empty choice, which a recipe writes as null.
func dropEmpty(choices []string) []string {
	return slices.DeleteFunc(slices.Clone(choices), func(s string) bool { return s == "" })
}

// checkTogether checks the keys that depend on each other.
func (c Config) checkTogether() (problems []error) {
	if c.UseSelective && len(c.SelectedLayers) == 0 {
		problems = append(problems, c.UsageErrorf("use_selective", "selected_layers names no layer"))
	}
	if slices.Contains(c.SelectedLayers, "") {
		problems = append(problems, c.UsageErrorf("selected_layers", "an empty name would match every parameter"))
	}
	preference := c.Objective != "sft" && len(c.Stages) == 0
	if preference && c.MaxPromptLength >= c.MaxLength {
		problems = append(problems, c.UsageErrorf("max_prompt_length", "%d leaves no room for an answer within max_length %d",
			c.MaxPromptLength, c.MaxLength))
	}
	if preference && c.UseBuffer && len(c.BufferDatasetMixer) == 0 {
		problems = append(problems, c.UsageErrorf("use_buffer", "buffer_dataset_mixer names no dataset"))
	}
	if c.Platform == device.PlatformGo && c.Devices > 1 {
		problems = append(problems, c.UsageErrorf("devices",
			"%d, but the pure Go backend (platform: go) has one device: use cpu or cuda", c.Devices))
	}
	if !c.LoadBestModelAtEnd {
		return problems
	}
	if c.EvaluationStrategy == "no" || c.EvaluationStrategy != c.SaveStrategy {
		problems = append(problems, c.UsageErrorf("load_best_model_at_end",
			"needs evaluation_strategy (%s) and save_strategy (%s) to be the same", c.EvaluationStrategy, c.SaveStrategy))
	} else if c.SaveStrategy == "steps" && c.EvalSteps > 0 && c.SaveSteps%c.EvalSteps != 0 {
		problems = append(problems, c.UsageErrorf("load_best_model_at_end",
			"needs save_steps (%d) to be a multiple of eval_steps (%d)", c.SaveSteps, c.EvalSteps))
	}
	return problems
}

// ForStage returns the configuration for one kind of stage, "sft" or "train". A recipe that names no objective gets
// the kind's default, sft or bfpo. A recipe written for the other kind, or without a dataset, is a *usage.Error.
func (c Config) ForStage(kind string) (Config, error) {
	if c.Origin("objective") == "" && c.Origin("loss_type") == "" {
		c.Objective = "bfpo"
		if kind == "sft" {
			c.Objective = "sft"
		}
	}
	if kind == "sft" && c.Origin("max_seq_length") == "" && c.Origin("max_length") != "" {
		c.MaxSeqLength = c.MaxLength // TRL's name of max_seq_length since 0.20
	}
	if (c.Objective == "sft") != (kind == "sft") {
		return Config{}, c.UsageErrorf("objective", "%s does not fit a stage of kind %s", c.Objective, kind)
	}
	if len(c.DatasetMixer) == 0 && c.Origin("dataset_mixer") == "" {
		return Config{}, usage.Errorf("dataset_mixer is missing: add dataset_mixer: {./safety.jsonl: 1.0} to the recipe, " +
			"or name a recipe with -config")
	} else if len(c.DatasetMixer) == 0 {
		return Config{}, c.UsageErrorf("dataset_mixer", "names no dataset to train on")
	}
	return c, c.validate()
}

// checkEvaluation checks eval_tasks and generate_during_eval, which run during training, together with the keys that
// they need.
func (c Config) checkEvaluation() (problems []error) {
	if !c.EvaluatesBeyondLoss() || len(c.Stages) > 0 {
		return nil
	}
	key := "eval_tasks"
	if len(c.EvalTasks) == 0 {
		key = "generate_during_eval"
	}
	if !c.DoEval {
		problems = append(problems, c.UsageErrorf(key, "runs at evaluations, and there are none: "+
			"set evaluation_strategy to steps (every eval_steps) or epoch, or do_eval for one at the end"))
	}
	if mesh := c.TrainingMesh(); mesh != nil && mesh.Shards > 1 {
		problems = append(problems, c.UsageErrorf(key,
			"needs the whole weights on every device, and mesh %s shards them: use mesh: data", mesh))
	}
	if c.EvalLimit < 0 {
		problems = append(problems, c.UsageErrorf("eval_limit", "must be 0 (all) or more, got %d", c.EvalLimit))
	}
	if _, err := FindTasks(c.EvalTasks, c.EvalInclude, slog.New(slog.DiscardHandler)); err != nil {
		problems = append(problems, c.UsageErrorf("eval_tasks", "%v", err))
	}
	return problems
}
