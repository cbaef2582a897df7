package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/plan"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Export writes the model that c names as a Hugging Face folder, with weights in torch_dtype and a model card. If c
// names a checkpoint of a training run, Export merges the masters of the checkpoint into the model that the run started
// from.
// A folder that holds files is a usage error, unless the recipe overwrites it. version is the program's, for the card.
func Export(ctx context.Context, c recipe.Config, dir string, hub *hub.Hub, log *slog.Logger, version string) error {
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 && !c.OverwriteOutputDir {
		return usage.Errorf(
			"-out=%s holds files: choose another folder, or replace it with -set=overwrite_output_dir=true", dir)
	}
	for _, key := range []string{"chat_template", "eos_token"} {
		if c.Origin(key) != "" {
			return c.UsageErrorf(key, "an export has the model's own; it is set where a model is trained")
		}
	}
	if err := exportModel(ctx, c, dir, hub, log); err != nil {
		return err
	}
	card, err := exportCard(c, dir, version)
	if err != nil {
		return err
	}
	return report.WriteCard(filepath.Join(dir, rundir.Card), card)
}

// exportCard returns the card of an exported model. If a run of bfpo made the model, the card tells how.
func exportCard(c recipe.Config, dir, version string) (report.Card, error) {
	card := report.Card{Name: report.ModelName(dir), Base: c.Model, Version: version}
	file := report.RunRecipe(c.Model)
	if file == "" {
		return card, nil
	}
	run, err := recipe.Load(nil, file, nil)
	if err != nil {
		return card, err
	}
	card.Base, card.Objective = run.Model, run.TrainingObjective()
	card.Datasets = run.DatasetMixer.Names()
	if run.UseBuffer && run.Objective != "sft" {
		card.Datasets = append(card.Datasets, run.BufferDatasetMixer.Names()...)
	}
	return card, nil
}

func exportModel(ctx context.Context, c recipe.Config, dir string, hub *hub.Hub, log *slog.Logger) error {
	if recipe.PathExists(filepath.Join(c.Model, checkpoint.ManifestName)) {
		return exportCheckpoint(ctx, c, dir, hub, log)
	}
	model, err := models.Open(ctx, c.Model, hub, "", log)
	if err != nil {
		return err
	}
	defer model.Close()
	return pretrained.Export(dir, model, nil, c.ExportDType(model.Config.DType))
}

func exportCheckpoint(ctx context.Context, c recipe.Config, dir string, hub *hub.Hub,
	log *slog.Logger,
) error {
	saved, err := checkpoint.Open(c.Model)
	if err != nil {
		return err
	}
	run, err := readRunConfig(saved.Path)
	if err != nil {
		return err
	}
	if c.Origin("torch_dtype") != "" {
		run.TorchDType = c.TorchDType
	}
	model, err := models.Open(ctx, run.Model, hub, "", log)
	if err != nil {
		return err
	}
	defer model.Close()
	language, err := models.NewChatTokenizer(ctx, model, run)
	if err != nil {
		return err
	}
	language.SetFiles(model, run)
	if err := checkBase(saved, model, language, log); err != nil {
		return err
	}
	// The Go backend is enough: the export only copies weights.
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		return err
	}
	defer d.Close()
	path, err := saved.FilePath(step.MastersFile)
	if err != nil {
		return err
	}
	file, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkMasters(file, run, model.Config); err != nil {
		return fmt.Errorf("checkpoint %s: %s: %w", saved.Path, step.MastersFile, err)
	}
	masters, err := step.UploadTensors(d, nil, file, file.Names())
	if err != nil {
		return err
	}
	return pretrained.Export(dir, model, masters, run.ExportDType(model.Config.DType))
}

// checkBase refuses a base model that is not the one from which a checkpoint's run started.
func checkBase(saved *checkpoint.Checkpoint, model *pretrained.Model, t models.ChatTokenizer, log *slog.Logger) error {
	state, err := saved.State()
	if err != nil {
		return err
	}
	if state.Identity == nil {
		log.Warn(fmt.Sprintf("checkpoint %s was saved by an earlier version: it cannot be checked that %s is the model that "+
			"its run was begun with", saved.Path, model.Path))
		return nil
	}
	return train.CheckBase(saved.Path, state.Identity, model, t)
}

// checkMasters checks that a checkpoint holds exactly the weights that its run trains.
func checkMasters(file *safetensors.File, run recipe.Config, network config.Config) error {
	names, err := plan.Trainable(run, network)
	if err != nil {
		return err
	}
	specs := slices.DeleteFunc(network.Tensors(), func(s config.TensorSpec) bool {
		return !slices.Contains(names, s.Name)
	})
	return step.CheckTensors(file, specs)
}

// readRunConfig reads the resolved recipe of the run that saved a checkpoint in RUN/checkpoints/step-N.
func readRunConfig(checkpoint string) (recipe.Config, error) {
	path := filepath.Join(filepath.Dir(filepath.Dir(filepath.Clean(checkpoint))), rundir.Config)
	if _, err := os.Stat(path); err != nil {
		return recipe.Config{}, fmt.Errorf("%s is exported with the recipe of its run, two folders above it: %w",
			checkpoint, err)
	}
	return recipe.Load(nil, path, nil)
}
