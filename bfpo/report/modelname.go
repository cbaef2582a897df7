package report

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
)

// ModelName returns the name under which tables and cards show a model: a hub id or a built-in name as it stands; of a
// file or folder only its own name, or the run's name for the folder "model" of a run. So no path of this machine gets
// into what a user may publish.
func ModelName(name string) string {
	if !isLocal(name) {
		return name
	}
	path := filepath.Clean(name)
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if filepath.Base(path) == rundir.Model {
		path = filepath.Dir(path)
	}
	return filepath.Base(path)
}

// isLocal reports whether the name of a model or a data set is a file or folder on this machine.
func isLocal(name string) bool {
	if name == "" || slices.Contains(recipe.BuiltinModels(), name) || strings.HasPrefix(name, recipe.QuickstartPrefix) {
		return false
	}
	return recipe.PathExists(name) || recipe.LooksLikePath(name)
}

// originModel returns the model that training began with: it follows the recipes of the runs by which bfpo made a local
// model, such as an SFT stage before a BFPO stage.
func originModel(name string) string {
	for range 10 { // stages; recipes that name each other would have no end
		file := RunRecipe(name)
		if file == "" {
			return name
		}
		c, err := recipe.Load(nil, file, nil)
		if err != nil || c.Model == "" {
			return name
		}
		name = c.Model
	}
	return name
}

// RunRecipe returns the resolved recipe of the run that made a model: name is the run's folder, its model or a
// checkpoint of it. It is empty for any other model.
func RunRecipe(name string) string {
	if !isLocal(name) {
		return ""
	}
	if path, err := filepath.Abs(name); err == nil {
		name = path
	}
	run := name
	switch parent := filepath.Dir(name); {
	case filepath.Base(name) == rundir.Model:
		run = parent
	case filepath.Base(parent) == rundir.Checkpoints:
		run = filepath.Dir(parent)
	case !recipe.PathExists(filepath.Join(name, rundir.Model)):
		return ""
	}
	if file := filepath.Join(run, rundir.Config); recipe.PathExists(file) {
		return file
	}
	return ""
}

// hubName returns the hub id of a model, or "" for a local one and for built-in models that the hub lacks.
func hubName(name string) string {
	if name == recipe.SmolLM2 {
		return "HuggingFaceTB/SmolLM2-135M-Instruct"
	}
	if id, _, _ := strings.Cut(name, "@"); isHubID(id) { // a recipe may pin a revision: ID@REVISION
		return id
	}
	return ""
}

// RunName returns the name of a run for its card: its folder's name, after the name of the folder around it.
func RunName(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	return filepath.Base(filepath.Dir(dir)) + "-" + filepath.Base(dir)
}

// hubID matches an id on the hub: owner/name.
var hubID = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$`)

// isHubID reports whether a name is an id on the hub. Names of built-in data and of local files and folders may look
// like one.
func isHubID(name string) bool {
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".parquet", ".gz", ".zst", ".gguf":
		return false
	}
	_, err := os.Stat(name)
	return hubID.MatchString(name) && !strings.HasPrefix(name, recipe.QuickstartPrefix) && err != nil
}
