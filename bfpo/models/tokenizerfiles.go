package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// OpenTokenizer reads the tokenizer and the chat template of a recipe's model, which need neither its weights nor
// config.json. Besides the names that Open finds, name may be a folder that has tokenizer files only, or one such file
// (tokenizer.json, tekken.json, tokenizer.model). Of a model on the hub the weights are not downloaded.
func OpenTokenizer(
	ctx context.Context, c recipe.Config, hub *hub.Hub, cache string, log *slog.Logger,
) (ChatTokenizer, error) {
	name := c.Model
	if dir, alias, ok := tokenizerFolder(name); ok {
		return readFolder(dir, alias, c)
	}
	if strings.Count(name, "/") == 1 && !recipe.PathExists(name) && !recipe.LooksLikePath(name) {
		id, revision, _ := strings.Cut(name, "@")
		dir, err := hub.Snapshot(ctx, "models", id, revision, func(name string) bool {
			return isModelFile(name) && !strings.HasSuffix(name, ".safetensors")
		})
		if err != nil {
			return ChatTokenizer{}, fmt.Errorf("model %s: %w", name, err)
		}
		return readFolder(dir, nil, c)
	}
	model, err := Open(ctx, name, hub, cache, log)
	if err != nil {
		return ChatTokenizer{}, err
	}
	t, err := NewChatTokenizer(ctx, model, c)
	return t, errors.Join(err, model.Close())
}

// tokenizerFolder returns the folder that has the tokenizer files of a name, and which file stands for which; ok is
// false for a name that is neither such a folder nor such a file.
func tokenizerFolder(name string) (dir string, alias map[string]string, ok bool) {
	if name == pretrained.Tiny {
		return "", nil, false
	}
	if model := filepath.Join(name, rundir.Model); recipe.PathExists(filepath.Join(model, config.ConfigFile)) {
		return model, nil, true
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", nil, false
	}
	base := filepath.Base(name)
	switch {
	case info.IsDir():
		return name, nil, true
	case base == config.TokenizerFile || base == "tekken.json" || base == "tokenizer.model":
		return filepath.Dir(name), map[string]string{base: base}, true
	case strings.HasPrefix(base, "tekken") && strings.HasSuffix(base, ".json"):
		return filepath.Dir(name), map[string]string{"tekken.json": base}, true
	case strings.HasSuffix(base, ".json"):
		return filepath.Dir(name), map[string]string{config.TokenizerFile: base}, true
	case strings.HasSuffix(base, ".model") || strings.Contains(base, ".model."):
		return filepath.Dir(name), map[string]string{"tokenizer.model": base}, true
	}
	return "", nil, false
}

// readFolder reads the tokenizer and the chat template from a folder. Where alias names the file of a vocabulary, no
// other vocabulary of the folder is read, and its configuration only if the file has its usual name.
func readFolder(dir string, alias map[string]string, c recipe.Config) (ChatTokenizer, error) {
	read := func(name string) ([]byte, error) {
		path := filepath.Join(dir, name)
		if file, ok := alias[name]; ok {
			path = filepath.Join(dir, file)
		} else if alias != nil && (isVocabulary(name) || renamed(alias)) {
			return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
		}
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", path)
		}
		return os.ReadFile(path)
	}
	var sizes struct {
		Rows int `json:"vocab_size"`
	}
	if data, err := tokenizer.ReadOptional(read, config.ConfigFile); err == nil && data != nil {
		_ = json.Unmarshal(data, &sizes) // a config.json of another kind of model says nothing about the tokenizer
	}
	t, err := readChatTokenizer(read, sizes.Rows, c)
	if err != nil {
		return t, fmt.Errorf("%s: %w", dir, err)
	}
	return t, nil
}

// isVocabulary reports whether a file holds the vocabulary of a tokenizer.
func isVocabulary(name string) bool {
	return name == config.TokenizerFile || name == "tekken.json" || name == "tokenizer.model"
}

// renamed reports whether a file has another name than usual.
func renamed(alias map[string]string) bool {
	for usual, file := range alias {
		if usual != file {
			return true
		}
	}
	return false
}
