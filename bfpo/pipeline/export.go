package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Export writes the model that c names as a Hugging Face folder in torch_dtype. The name may be that of a checkpoint folder of a
// training run: its masters are merged into the model that the run started from.
func Export(ctx context.Context, c recipe.Config, dir string, hub *hub.Hub, log func(format string, args ...any)) error {
	if recipe.Exists(filepath.Join(c.Model, checkpoint.ManifestName)) {
		return exportCheckpoint(ctx, c, dir, hub, log)
	}
	source, err := models.Open(ctx, c.Model, hub, "", log)
	if err != nil {
		return err
	}
	defer source.Close()
	return pretrained.Export(dir, source, nil, c.ExportType(source))
}

func exportCheckpoint(ctx context.Context, c recipe.Config, dir string, hub *hub.Hub, log func(format string, args ...any)) error {
	checkpoint, err := checkpoint.Open(c.Model)
	if err != nil {
		return err
	}
	run, err := runConfig(filepath.Dir(filepath.Dir(filepath.Clean(checkpoint.Path))))
	if err != nil {
		return err
	}
	if c.Place("torch_dtype") != "" {
		run.TorchDType = c.TorchDType
	}
	source, err := models.Open(ctx, run.Model, hub, "", log)
	if err != nil {
		return err
	}
	defer source.Close()
	language, err := models.NewLanguage(source, run.ChatTemplate)
	if err != nil {
		return err
	}
	source.SetChatTemplate(language.Source)
	// Nothing is computed, so any device will do.
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		return err
	}
	defer d.Close()
	file, err := safetensors.Open(checkpoint.File(step.MastersFile))
	if err != nil {
		return err
	}
	defer file.Close()
	masters, err := step.UploadTensors(d, nil, file, file.Names())
	if err != nil {
		return err
	}
	return pretrained.Export(dir, source, masters, run.ExportType(source))
}

// runConfig reads the resolved recipe of a run.
func runConfig(dir string) (recipe.Config, error) {
	path := filepath.Join(dir, rundir.Config)
	if _, err := os.Stat(path); err != nil {
		return recipe.Config{}, fmt.Errorf("a checkpoint lies in the checkpoints folder of its run, which has the recipe: %w", err)
	}
	return recipe.Load(nil, path, nil)
}
