package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// startFiles are the recipe and the rows that init writes.
//
//go:embed start
var startFiles embed.FS

// startRecipe is the recipe among them.
const startRecipe = "mine.yaml"

// runInit writes a recipe and example rows to begin with. It replaces no file.
func runInit(_ context.Context, o *options, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	if len(o.sets) > 0 || o.config != "" || o.given("platform") || o.given("devices") {
		return usage.Errorf("init writes a recipe and takes -out and -model only: put other keys into %s", startRecipe)
	}
	files, err := startFiles.ReadDir("start")
	if err != nil {
		return err
	}
	var existing []string
	for _, f := range files {
		path := filepath.Join(o.out, f.Name())
		if _, err := os.Lstat(path); err == nil {
			existing = append(existing, path)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if len(existing) > 0 {
		return usage.Errorf("nothing was written, since files exist already: %s; choose another folder with -out=DIR",
			strings.Join(existing, ", "))
	}
	if o.out != "" {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	for _, f := range files {
		text, err := startFiles.ReadFile("start/" + f.Name())
		if err != nil {
			return err
		}
		if f.Name() == startRecipe {
			text = []byte(withModel(string(text), o.model))
		}
		path := filepath.Join(o.out, f.Name())
		if err := atomicfile.Write(path, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		}); err != nil {
			return err
		}
		fmt.Fprintf(o.std.out, "wrote  %s\n", path)
	}
	path := filepath.Join(o.out, startRecipe)
	_, err = fmt.Fprintf(o.std.out, `
next   bfpo data -config=%[1]s     shows what it would train on
       bfpo run -config=%[1]s      trains on 20 rows and compares on 10
then put your own rows in place of the examples; bfpo help keys explains every key
`, usage.Argument(path))
	return err
}

// withModel puts a model in place of the recipe's, if it is not empty. A local model is named by its absolute path,
// since the recipe may lie in another folder.
func withModel(text, model string) string {
	if model == "" {
		return text
	}
	isPath := recipe.LooksLikePath(model) || recipe.PathExists(model) && !slices.Contains(recipe.BuiltinModels(), model)
	if absolute, err := filepath.Abs(model); err == nil && isPath {
		model = absolute
	}
	return strings.Replace(text, "model_name_or_path: "+recipe.SmolLM2+" ", "model_name_or_path: "+quoted(model)+" ", 1)
}
