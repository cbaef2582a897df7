package recipe

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// Config is one resolved recipe: every key of a recipe file as a typed value, read-only after LoadConfig.
//
// The names are those of alignment-handbook and TRL recipes, the defaults those of transformers 4.36 TrainingArguments and of the seed's
// classes, except optim. In a file, null (or None) leaves a key at its default. Zero values that mean "not given" are marked.
type Config struct {
	// Pipeline: a recipe with stages has no data of its own; its other keys are shared by the stages.
	Stages []Stage `yaml:"stages"`

	// Model
	Model          string `yaml:"model_name_or_path"` // folder, .gguf file, hub id[@REV] or built-in name
	Architecture   string `yaml:"architecture"`       // a known model that has the sizes of the one that is to come: what plan goes by where no model is named
	TorchDType     string `yaml:"torch_dtype"`        // "" (float32, as HF loads it), auto, float32, bfloat16
	BF16           bool   `yaml:"bf16"`               // compute in bfloat16 whatever torch_dtype says; masters are always float32
	TF32           bool   `yaml:"tf32"`               // float32 products of numbers rounded to 11 bits (NVIDIA GPUs) or 16 bits (CPUs with AMX)
	ChatTemplate   string `yaml:"chat_template"`      // Jinja source; "" takes the checkpoint's
	TruncationSide string `yaml:"truncation_side"`    // "", left, right
	UseSelective   bool   `yaml:"use_selective"`      // train selected_layers only

	// SelectedLayers are substrings of parameter names, in force when UseSelective is set.
	SelectedLayers []string `yaml:"selected_layers"`

	// Data
	DatasetMixer        Mixer    `yaml:"dataset_mixer"`
	DatasetSplits       []string `yaml:"dataset_splits"` // names with "train" in them train, names with "test" evaluate
	EvalDatasetMixer    Mixer    `yaml:"eval_dataset_mixer"`
	UseBuffer           bool     `yaml:"use_buffer"`
	BufferDatasetMixer  Mixer    `yaml:"buffer_dataset_mixer"`
	BufferDatasetSplits []string `yaml:"buffer_dataset_splits"`
	TextFormat          string   `yaml:"text_format"` // clean, seed
	Shuffle             bool     `yaml:"shuffle"`     // false: rows in file order everywhere
	MaxLength           int      `yaml:"max_length"`  // tokens of prompt and response
	MaxPromptLength     int      `yaml:"max_prompt_length"`
	MaxSeqLength        int      `yaml:"max_seq_length"` // tokens of a supervised row; 0: the model's limit, at most 1024
	Packing             bool     `yaml:"packing"`

	// Objective
	Objective string  `yaml:"objective"` // bfpo, dpo, ipo, sft
	LossType  string  `yaml:"loss_type"` // TRL's name of the objective: "", bfpo, sigmoid, ipo
	Beta      float64 `yaml:"beta"`
	B1        float64 `yaml:"b1"`
	Alpha     float64 `yaml:"alpha"`

	// PrecomputeRefLogProbs computes the reference once, before training, instead of in every step.
	PrecomputeRefLogProbs bool `yaml:"precompute_ref_log_probs"`

	// Optimizer
	Optim                     string  `yaml:"optim"`
	LearningRate              float64 `yaml:"learning_rate"`
	LRSchedulerType           string  `yaml:"lr_scheduler_type"` // linear, cosine, constant, constant_with_warmup
	WarmupRatio               float64 `yaml:"warmup_ratio"`
	WarmupSteps               int     `yaml:"warmup_steps"`  // beats warmup_ratio when above 0
	MaxGradNorm               float64 `yaml:"max_grad_norm"` // 0: no clipping
	WeightDecay               float64 `yaml:"weight_decay"`
	AdamBeta1                 float64 `yaml:"adam_beta1"`
	AdamBeta2                 float64 `yaml:"adam_beta2"`
	AdamEpsilon               float64 `yaml:"adam_epsilon"`
	PerDeviceTrainBatchSize   int     `yaml:"per_device_train_batch_size"`
	PerDeviceEvalBatchSize    int     `yaml:"per_device_eval_batch_size"`
	GradientAccumulationSteps int     `yaml:"gradient_accumulation_steps"`
	NumTrainEpochs            float64 `yaml:"num_train_epochs"`
	MaxSteps                  int     `yaml:"max_steps"` // beats num_train_epochs when above 0
	Seed                      int64   `yaml:"seed"`
	DataSeed                  int64   `yaml:"data_seed"`

	// Device
	Platform              string `yaml:"platform"` // auto, cpu, cuda, go or the path of a PJRT plugin
	Devices               int    `yaml:"devices"`
	Mesh                  string `yaml:"mesh"` // data, zero1, fsdp, or sizes: data=2,fsdp=4
	GradientCheckpointing Switch `yaml:"gradient_checkpointing"`

	// Logging, evaluation, saving
	OutputDir            string   `yaml:"output_dir"` // the -out flag beats it
	OverwriteOutputDir   bool     `yaml:"overwrite_output_dir"`
	ResumeFromCheckpoint Switch   `yaml:"resume_from_checkpoint"` // false, true (the newest in the output folder) or a checkpoint folder
	LoggingSteps         int      `yaml:"logging_steps"`
	LogRows              bool     `yaml:"log_rows"`
	ReportTo             []string `yaml:"report_to"` // tensorboard or nothing
	DoEval               bool     `yaml:"do_eval"`   // evaluate at the end; set by any evaluation_strategy but no
	EvaluationStrategy   string   `yaml:"evaluation_strategy"`
	EvalSteps            int      `yaml:"eval_steps"` // 0 in a file: logging_steps
	EvalTasks            []string `yaml:"eval_tasks"`
	EvalData             string   `yaml:"eval_data"`    // of eval_tasks: folder of local files; "" takes all from the hub
	EvalInclude          string   `yaml:"eval_include"` // of eval_tasks: folder of task files of one's own
	EvalLimit            int      `yaml:"eval_limit"`   // of eval_tasks: documents of each; 0 = all
	EvalJudge            string   `yaml:"eval_judge"`   // of eval_tasks whose answers need one; "" = none
	GenerateDuringEval   bool     `yaml:"generate_during_eval"`
	EvalPrompts          string   `yaml:"eval_prompts"` // of generate_during_eval; "": the prompts of the first held-out rows

	// EvalApplyChatTemplate renders the contexts of eval_tasks as a user's messages.
	EvalApplyChatTemplate bool `yaml:"eval_apply_chat_template"`

	SaveStrategy       string `yaml:"save_strategy"`
	SaveSteps          int    `yaml:"save_steps"`
	SaveTotalLimit     int    `yaml:"save_total_limit"`       // 0: keep all
	LoadBestModelAtEnd bool   `yaml:"load_best_model_at_end"` // the lowest eval_loss

	// Red teaming, for the command redteam
	RedteamPrompts     string  `yaml:"redteam_prompts"`   // questions to make the set of, as rows {prompt} or {messages}; "": dataset_mixer is the set
	RedteamJudge       string  `yaml:"redteam_judge"`     // of the answers, as for bfpo eval -judge
	RedteamHeldOut     float64 `yaml:"redteam_held_out"`  // share of the questions that is not trained on
	RedteamRankSafe    bool    `yaml:"redteam_rank_safe"` // pairs of two safe answers count too, the better being the one that the judge finds safer
	RedteamMaxTokens   int     `yaml:"redteam_max_tokens"`
	RedteamTemperature float64 `yaml:"redteam_temperature"`
	RedteamTopP        float64 `yaml:"redteam_top_p"`

	// Ignored lists the keys that were accepted though they mean nothing here, and Notices what else should be said once.
	Ignored []string `yaml:"-"`
	Notices []string `yaml:"-"`

	places map[string]string // key -> where its value was given
}

// DefaultConfig is the configuration of an empty recipe.
func Default() Config {
	return Config{
		DatasetSplits:       []string{"train", "test"},
		BufferDatasetSplits: []string{"train", "test"},
		TextFormat:          "clean",
		Shuffle:             true,
		MaxLength:           512, // what TRL 0.7.7 falls back to, with a warning, when the recipe says nothing
		MaxPromptLength:     128,
		Packing:             true, // the seed's script sets it

		Objective: "bfpo",
		Beta:      0.1,
		B1:        3,
		Alpha:     0.5,

		Optim:                     "adamw_torch", // the seed's class says rmsprop, its recipes adamw_torch
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
		DataSeed:                  42, // the reference shuffles its sets with 42 whatever the seed

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
		RedteamMaxTokens:   256, // with the next two: how the seed samples answers to harmful prompts
		RedteamTemperature: 0.7,
		RedteamTopP:        0.95,
	}
}

// Place tells where the value of a key was given, as "file:line" or "-set=key=value"; "" for a default.
func (c Config) Place(key string) string { return c.places[key] }

// Stage is one step of a pipeline.
type Stage struct {
	Kind   string    // sft, train (a preference stage) or eval
	Config Config    // of sft and train; an empty Model means the previous stage's output
	Eval   EvalStage // of eval
}

// EvalStage says what to measure before and after training.
type EvalStage struct {
	DatasetMixer  Mixer    `yaml:"dataset_mixer"`  // held-out preferences
	DatasetSplits []string `yaml:"dataset_splits"` // one; test by default
	Prompts       string   `yaml:"prompts"`        // a file of prompts that the model answers before and after, or quickstart/prompts

	Tasks             []string `yaml:"tasks"`               // of lm-evaluation-harness, by name
	Include           string   `yaml:"include"`             // a folder of task files of one's own
	Data              string   `yaml:"data"`                // a folder of the tasks' local files; "" takes all from the hub
	Limit             int      `yaml:"limit"`               // documents of each task at most; 0 = all
	ApplyChatTemplate bool     `yaml:"apply_chat_template"` // contexts are a user's messages
	Judge             string   `yaml:"judge"`               // of the tasks that need one, as for bfpo eval; "" = none
}

// usage is the error that a key's value has, with the place where it was given.
func (c Config) KeyErrorf(key, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if place := c.Place(key); place != "" {
		return usage.Errorf("%s: %s: %s", place, key, text)
	}
	return usage.Errorf("%s: %s (not given; this is its default)", key, text)
}

// ComputeType is the type of activations and matrix products; masters, sums and norms are always f32.
func (c Config) ComputeType() dtypes.DType {
	if c.BF16 || c.TorchDType == "bfloat16" {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// exportType is the type of the weights of the trained model on disk.
func (c Config) ExportType(m *pretrained.Checkpoint) dtypes.DType {
	name := c.TorchDType
	if name == "auto" {
		name = m.Config.DType
	}
	if name == "bfloat16" {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// Copies is what the devices form where nothing is trained: each has the whole model, whatever mesh says. nil for one device.
func (c Config) ReplicatedMesh() *device.Mesh {
	c.Mesh = "data"
	return c.DeviceMesh()
}

// mesh is what the devices form; nil for one.
func (c Config) DeviceMesh() *device.Mesh {
	mesh, _ := device.ParseMesh(c.Mesh, c.Devices, config.Sharding()) // settleMesh has parsed it
	return mesh
}

// EvaluatesMore tells whether evaluations measure more than the held-out rows.
func (c Config) EvaluatesMore() bool { return len(c.EvalTasks) > 0 || c.GenerateDuringEval }

// PrecomputesReference tells whether the reference log-probabilities are computed once, before training.
func (c Config) PrecomputesReference() bool { return c.PrecomputeRefLogProbs && c.Objective != "sft" }

// Loss returns the objective with its hyperparameters.
func (c Config) Loss() bfpo.Objective {
	return bfpo.Objective{Name: c.Objective, Beta: c.Beta, B1: c.B1, Alpha: c.Alpha}
}
