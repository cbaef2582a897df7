package recipe

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Config is one resolved recipe: every key of a recipe file as a typed value. It is read-only after Load.
//
// Keys are named as in alignment-handbook and TRL recipes. Except for optim, defaults are the ones of transformers
// 4.36 TrainingArguments and of the original code's classes. In a file, null (or None) leaves a key at its default.
type Config struct {
	// Pipeline: a recipe with stages has no data itself, and its stages share its other keys.
	Stages []Stage `yaml:"stages"`

	// Model
	Model        string `yaml:"model_name_or_path"` // folder, .gguf file, hub id[@REV] or built-in name
	Architecture string `yaml:"architecture"`       // for bfpo plan without a model: a known model with the same sizes
	TorchDType   string `yaml:"torch_dtype"`        // "" (float32, as HF loads it), float32, bfloat16, auto
	BF16         bool   `yaml:"bf16"`               // compute in bfloat16 whatever torch_dtype is; masters stay float32
	TF32         bool   `yaml:"tf32"`               // round float32 factors to 11 bits (NVIDIA GPUs) or 16 bits (AMX)
	ChatTemplate string `yaml:"chat_template"`      // Jinja source or a name; "": the model's
	// ChatTemplateDate is the date, as 2026-11-30, that a chat template writes with strftime_now; "": today, which
	// config.yaml then keeps for a resumed run.
	ChatTemplateDate string `yaml:"chat_template_date"`
	// EOSToken takes the place of the tokenizer's EOS token, which ends every answer, in training and in the exported
	// model. It must be in the vocabulary. "": the tokenizer's.
	EOSToken       string `yaml:"eos_token"`
	TruncationSide string `yaml:"truncation_side"` // "", left, right
	UseSelective   bool   `yaml:"use_selective"`   // train selected_layers only

	// SelectedLayers are substrings of parameter names; they apply only with UseSelective.
	SelectedLayers []string `yaml:"selected_layers"`

	// Data
	DatasetMixer        Mixer    `yaml:"dataset_mixer"`         // sets to train on; 0.5: the first half of the rows
	DatasetSplits       []string `yaml:"dataset_splits"`        // training: the first with "train"; held out: "test"
	EvalDatasetMixer    Mixer    `yaml:"eval_dataset_mixer"`    // none: dataset_mixer's test split
	UseBuffer           bool     `yaml:"use_buffer"`            // add pairs of the buffer to every micro-batch
	BufferDatasetMixer  Mixer    `yaml:"buffer_dataset_mixer"`  // pairs of helpfulness
	BufferDatasetSplits []string `yaml:"buffer_dataset_splits"` // as dataset_splits
	// TextFormat is clean, or seed, which reproduces the original code ("the seed"): its token ids, its count of steps and
	// its weights of micro-batches.
	TextFormat string `yaml:"text_format"`
	Shuffle    bool   `yaml:"shuffle"` // false: rows stay in the order of their files
	// MaxLength is the number of tokens of prompt and response that a row may have. If the longer row of a pair has
	// more, the prompt is cut to max_prompt_length tokens; a pair that is still too long is dropped.
	MaxLength int `yaml:"max_length"`
	// MaxPromptLength is the number of tokens to which the prompt of a pair beyond max_length is cut.
	MaxPromptLength int    `yaml:"max_prompt_length"`
	MaxSeqLength    int    `yaml:"max_seq_length"`     // tokens of a supervised row; 0: the model's limit, at most 1024
	Packing         bool   `yaml:"packing"`            // sft: fill rows of max_seq_length with several dialogues
	TextField       string `yaml:"dataset_text_field"` // sft: the column of texts; "": the layout of a row decides
	BadRows         string `yaml:"bad_rows"`           // malformed rows, rows that the template refuses: drop, refuse
	Unlabelled      string `yaml:"unlabelled"`         // main rows without safety labels: "" (warn), safe, drop

	// Objective
	LossType string `yaml:"loss_type"` // the objective as TRL has it: sigmoid is dpo, nll is sft; "": not given
	// Objective is bfpo, dpo, ipo, robust, hinge, exo_pair, nca_pair, bco_pair, sppo_hard, apo_zero, apo_down,
	// discopop, safe_dpo, modpo, simpo or orpo for pairs, and sft for dialogues.
	Objective string  `yaml:"objective"`
	Beta      float64 `yaml:"beta"`  // the larger, the closer to the reference model; of all objectives but sft
	B1        float64 `yaml:"b1"`    // of bfpo, above 1; b3 = 1/(b1-1)
	Alpha     float64 `yaml:"alpha"` // of bfpo
	// LabelSmoothing is the share of pairs whose answers are taken to be swapped, below 0.5; of dpo, robust and
	// exo_pair.
	LabelSmoothing float64 `yaml:"label_smoothing"`
	DiscoPOPTau    float64 `yaml:"discopop_tau"` // of discopop, above 0
	// SafeDPODelta is how much larger the lead of a safe answer over an unsafe one has to be, in nats times beta; of
	// safe_dpo, at least 0. Pairs of two unsafe answers are dropped.
	SafeDPODelta float64 `yaml:"safe_dpo_delta"`
	SimPOGamma   float64 `yaml:"simpo_gamma"`  // of simpo, at least 0; its paper has a beta of 2 to 10
	MODPOWeight  float64 `yaml:"modpo_weight"` // of modpo: how much safety counts, at least 0 and below 1
	// PreferenceBy decides which answer of a pair of the main set counts as chosen: helpfulness (the rows decide), safety
	// (the safe one; pairs with equal labels are dropped) or safe_first (the safe one; with equal labels the rows decide).
	PreferenceBy string `yaml:"preference_by"`
	// AverageLogProb divides the log-ratio of a response by its tokens, so that long responses count no more than short
	// ones; margins are in nats per token then, and need a larger beta.
	AverageLogProb bool `yaml:"average_log_prob"`

	// PrecomputeRefLogProbs computes the reference log-probabilities once, before training, instead of in every step.
	PrecomputeRefLogProbs bool `yaml:"precompute_ref_log_probs"`

	// Optimizer
	Optim        string  `yaml:"optim"`         // adamw_torch, also by other names
	LearningRate float64 `yaml:"learning_rate"` // the highest of the schedule
	// LRSchedulerType is linear, cosine, constant or constant_with_warmup.
	LRSchedulerType           string  `yaml:"lr_scheduler_type"`
	WarmupRatio               float64 `yaml:"warmup_ratio"`                // share of steps with a rising rate
	WarmupSteps               int     `yaml:"warmup_steps"`                // overrides warmup_ratio when above 0
	MaxGradNorm               float64 `yaml:"max_grad_norm"`               // 0: no clipping
	WeightDecay               float64 `yaml:"weight_decay"`                // AdamW's, of all trained weights
	AdamBeta1                 float64 `yaml:"adam_beta1"`                  // decay of the mean of gradients
	AdamBeta2                 float64 `yaml:"adam_beta2"`                  // decay of the mean of squared gradients
	AdamEpsilon               float64 `yaml:"adam_epsilon"`                // added to the root of that mean
	PerDeviceTrainBatchSize   int     `yaml:"per_device_train_batch_size"` // pairs or rows of a micro-batch
	PerDeviceEvalBatchSize    int     `yaml:"per_device_eval_batch_size"`  // of an evaluation
	GradientAccumulationSteps int     `yaml:"gradient_accumulation_steps"` // micro-batches of a step
	NumTrainEpochs            float64 `yaml:"num_train_epochs"`            // passes over dataset_mixer
	MaxSteps                  int     `yaml:"max_steps"`                   // overrides num_train_epochs when above 0
	Seed                      int64   `yaml:"seed"`                        // of the order of rows after the first pass
	DataSeed                  int64   `yaml:"data_seed"`                   // of the order of rows in the first pass

	// Device
	Platform              string `yaml:"platform"`               // auto, cpu, cuda, go or the path of a PJRT plugin
	Devices               int    `yaml:"devices"`                // number of devices
	Mesh                  string `yaml:"mesh"`                   // data, zero1, fsdp, or sizes: data=2,fsdp=4
	GradientCheckpointing Switch `yaml:"gradient_checkpointing"` // true, false or auto

	// Logging, evaluation, saving
	OutputDir            string   `yaml:"output_dir"`             // the flag -out overrides it
	OverwriteOutputDir   bool     `yaml:"overwrite_output_dir"`   // replace what a finished run left there
	ResumeFromCheckpoint Switch   `yaml:"resume_from_checkpoint"` // false, true (the newest) or a folder
	LoggingSteps         int      `yaml:"logging_steps"`          // steps per printed line, which shows their means
	LogRows              bool     `yaml:"log_rows"`               // name each step's rows in metrics.jsonl
	ReportTo             []string `yaml:"report_to"`              // tensorboard or nothing
	DoEval               bool     `yaml:"do_eval"`                // evaluate at the end; set by evaluation_strategy
	EvaluationStrategy   string   `yaml:"evaluation_strategy"`    // no, steps (every eval_steps) or epoch
	EvalSteps            int      `yaml:"eval_steps"`             // 0 in a recipe: logging_steps
	EvalTasks            []string `yaml:"eval_tasks"`             // measured at each evaluation; see bfpo help tasks
	EvalData             string   `yaml:"eval_data"`              // folder of the tasks' local files; "": all from the hub
	EvalInclude          string   `yaml:"eval_include"`           // folder of additional task files
	EvalLimit            int      `yaml:"eval_limit"`             // documents of each task; 0: all
	EvalJudge            string   `yaml:"eval_judge"`             // for tasks that need a judge; "": none
	GenerateDuringEval   bool     `yaml:"generate_during_eval"`   // answer prompts at each evaluation
	// EvalPrompts is for GenerateDuringEval: a file of rows {messages}, for the chat template, or {prompt}, or of lines
	// (.txt), which are continued as they stand. "": the first held-out prompts.
	EvalPrompts string `yaml:"eval_prompts"`

	// EvalApplyChatTemplate renders the contexts of eval_tasks as user messages.
	EvalApplyChatTemplate bool `yaml:"eval_apply_chat_template"`

	SaveStrategy       string `yaml:"save_strategy"`          // no, steps (every save_steps) or epoch
	SaveSteps          int    `yaml:"save_steps"`             // steps between two checkpoints, with save_strategy: steps
	SaveTotalLimit     int    `yaml:"save_total_limit"`       // checkpoints to keep; 0: all
	LoadBestModelAtEnd bool   `yaml:"load_best_model_at_end"` // the model with the lowest eval_loss

	// Red teaming, for bfpo redteam
	RedteamPrompts     string  `yaml:"redteam_prompts"`     // rows {prompt} or {messages}; "": use dataset_mixer
	RedteamJudge       string  `yaml:"redteam_judge"`       // judge of the answers, as for bfpo eval -judge
	RedteamHeldOut     float64 `yaml:"redteam_held_out"`    // fraction of the questions that is not trained on
	RedteamRankSafe    bool    `yaml:"redteam_rank_safe"`   // also use pairs of two safe answers, and choose the safer one
	RedteamMaxTokens   int     `yaml:"redteam_max_tokens"`  // tokens of an answer
	RedteamTemperature float64 `yaml:"redteam_temperature"` // of the sampled answers
	RedteamTopP        float64 `yaml:"redteam_top_p"`       // of the sampled answers

	// Ignored lists the accepted keys that have no effect here. Notices holds other lines to print once.
	Ignored []string `yaml:"-"`
	Notices []string `yaml:"-"`

	origins   map[string]string // key -> where its value was given
	untrusted map[string]bool   // the keys whose values come from a recipe file
}

// Default returns the configuration of an empty recipe.
func Default() Config {
	return Config{
		DatasetSplits:       []string{"train", "test"},
		BufferDatasetSplits: []string{"train", "test"},
		TextFormat:          "clean",
		Shuffle:             true,
		MaxLength:           512, // TRL 0.7.7's fallback, with a warning, for a recipe without it
		MaxPromptLength:     128,
		Packing:             true, // set by the original code's script
		BadRows:             "drop",

		Objective:   "bfpo",
		Beta:        0.1,
		B1:          3,
		Alpha:       0.5,
		DiscoPOPTau: 0.05, // TRL's
		SimPOGamma:  0.5,  // TRL's
		MODPOWeight: 0.5,

		PreferenceBy: bfpo.ByHelpfulness,

		Optim:                     "adamw_torch", // the original code's class has rmsprop, its recipes adamw_torch
		LearningRate:              5e-5,
		LRSchedulerType:           "linear",
		MaxGradNorm:               1,
		AdamBeta1:                 0.9,
		AdamBeta2:                 0.999,
		AdamEpsilon:               1e-8,
		PerDeviceTrainBatchSize:   8,
		PerDeviceEvalBatchSize:    8,
		GradientAccumulationSteps: 1,
		NumTrainEpochs:            3,
		MaxSteps:                  -1,
		Seed:                      42,
		DataSeed:                  42, // the original code shuffles its sets with 42, whatever the seed

		Platform:              "auto",
		Devices:               1,
		Mesh:                  "data",
		GradientCheckpointing: Off,

		ResumeFromCheckpoint: Off,
		LoggingSteps:         500,
		ReportTo:             []string{"tensorboard"},
		EvaluationStrategy:   "no",
		SaveStrategy:         "steps",
		SaveSteps:            500,

		RedteamHeldOut:     0.1,
		RedteamMaxTokens:   256, // this and the next two: how the original code samples answers to harmful prompts
		RedteamTemperature: 0.7,
		RedteamTopP:        0.95,
	}
}

// Origin returns where the value of a key was given, as "file:line", "-set=key=value" or another flag, or "" for a
// default.
func (c Config) Origin(key string) string { return c.origins[key] }

// RefusesBadRows reports whether a row that is malformed, or that the chat template refuses, is an error. Otherwise it
// is dropped and counted.
func (c Config) RefusesBadRows() bool { return c.BadRows == "refuse" }

// TextColumn returns the column of texts that a supervised stage trains on, or "" where the layout of the rows decides.
// The column text is what other layouts are turned into elsewhere, so recipes name it for them too.
func (c Config) TextColumn() string {
	if c.Objective != "sft" || c.TextField == "text" {
		return ""
	}
	return c.TextField
}

// Stage is one step of a pipeline.
type Stage struct {
	Kind   string    // sft, train (a preference stage) or eval
	Config Config    // sft and train: an empty Model means the previous stage's output
	Eval   EvalStage // eval
}

// EvalStage lists what to measure before and after training.
type EvalStage struct {
	DatasetMixer  Mixer    `yaml:"dataset_mixer"`  // held-out preferences
	DatasetSplits []string `yaml:"dataset_splits"` // exactly one; test by default
	// Prompts are answered by both models: a file of rows {messages}, for the chat template, or {prompt}, or of lines
	// (.txt), which are continued as they stand; or quickstart/prompts.
	Prompts string `yaml:"prompts"`

	Tasks             []string `yaml:"tasks"`               // names of lm-evaluation-harness tasks
	Include           string   `yaml:"include"`             // folder of additional task files
	Data              string   `yaml:"data"`                // folder of the tasks' local files; "": all from the hub
	Limit             int      `yaml:"limit"`               // documents of each task; 0: all
	ApplyChatTemplate bool     `yaml:"apply_chat_template"` // render contexts as user messages
	Judge             string   `yaml:"judge"`               // for tasks that need a judge, as for bfpo eval; "": none
}

// UsageErrorf returns a *usage.Error about a key's value. Its message begins with where the value was given and the
// key.
func (c Config) UsageErrorf(key, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	origin := c.Origin(key)
	if strings.HasPrefix(origin, "-"+key+"=") { // a flag of the key's name
		return usage.Errorf("%s: %s", origin, text)
	} else if origin != "" {
		return usage.Errorf("%s: %s: %s", origin, key, text)
	}
	return usage.Errorf("%s: %s (not given; this is its default)", key, text)
}

// ComputeDType returns the type of activations and matrix products; torch_dtype: auto takes bfloat16 where that is
// faster than float32, see device.Device.FastBF16. Masters, sums and norms are always float32.
func (c Config) ComputeDType(fastBF16 bool) dtypes.DType {
	if c.BF16 || c.TorchDType == "bfloat16" || c.TorchDType == "auto" && fastBF16 {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// ExportDType returns the type in which the trained weights are written to disk; torch_dtype: auto takes modelDType,
// the torch_dtype of the model's config.json.
func (c Config) ExportDType(modelDType string) dtypes.DType {
	name := c.TorchDType
	if name == "auto" {
		name = modelDType
	}
	if name == "bfloat16" {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// InferenceMesh returns the mesh for scoring and generating: each device holds the whole model, whatever the key mesh
// is. It is nil for one device.
func (c Config) InferenceMesh() *device.Mesh {
	c.Mesh = "data"
	return c.TrainingMesh()
}

// TrainingMesh returns the mesh of devices that the key mesh describes, or nil for one device.
func (c Config) TrainingMesh() *device.Mesh {
	mesh, _ := device.ParseMesh(c.Mesh, c.Devices, config.ShardingRules()) // no error: settleMesh has parsed it
	return mesh
}

// EvaluatesBeyondLoss reports whether evaluations during training run tasks or generate answers, apart from the
// held-out rows' loss.
func (c Config) EvaluatesBeyondLoss() bool { return len(c.EvalTasks) > 0 || c.GenerateDuringEval }

// PrecomputesReference reports whether the reference log-probabilities are computed once, before training.
func (c Config) PrecomputesReference() bool { return c.PrecomputeRefLogProbs && c.Objective != "sft" }
