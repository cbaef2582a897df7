package recipe

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// BuiltinModels lists the model names that are part of the program and never a folder or a hub id.
func BuiltinModels() []string { return []string{SmolLM2, "tiny"} }

// QuickstartPrefix begins the names of the datasets that are part of the program.
const QuickstartPrefix = "quickstart/"

// folder is the folder that relative names in one recipe file are relative to.
type folder struct {
	path    string // "": the working directory
	builtin bool   // of a built-in recipe, in which a name is a file only if it looks like a path
}

// localName turns the name of a local file or folder into an absolute path and leaves hub ids and built-in names
// unchanged. A name is local if it looks like a path (see LooksLikePath) or exists in the folder. A name that exists
// only in the working directory is taken from there, as Python does, and notice is a line about it.
func (f folder) localName(name string) (path, notice string, err error) {
	if name == "" || slices.Contains(BuiltinModels(), name) || strings.HasPrefix(name, QuickstartPrefix) {
		return name, "", nil
	}
	joined := name
	if !filepath.IsAbs(name) {
		joined = filepath.Join(f.path, name)
	}
	joined, err = filepath.Abs(joined)
	if err != nil {
		return "", "", fmt.Errorf("find %s: %w", name, err)
	}
	if here, err := filepath.Abs(name); err == nil && f.path != "" && !PathExists(joined) && PathExists(here) {
		return here, fmt.Sprintf("%s is not beside its recipe; taken from the working directory: %s", name, here), nil
	}
	if LooksLikePath(name) || !f.builtin && PathExists(joined) {
		return joined, "", nil
	}
	return name, "", nil
}

// LooksLikePath reports whether a name can only be a local path: it begins with /, ./ or ../, or ends like a file
// that bfpo reads.
func LooksLikePath(name string) bool {
	if filepath.IsAbs(name) || name == "." || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") {
		return true
	}
	for _, packed := range []string{".gz", ".zst", ".xz"} {
		name = strings.TrimSuffix(name, packed)
	}
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".parquet", ".gguf", ".so":
		return true
	}
	return false
}

// PathExists reports whether there is a file or folder at path.
func PathExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// resolveNames applies localName to a field that names models, datasets, files or a plugin, and leaves other fields
// unchanged.
func (f folder) resolveNames(to *field, notices *[]string) error {
	resolve := func(name *string) error {
		path, notice, err := f.localName(*name)
		if notice != "" && !slices.Contains(*notices, notice) {
			*notices = append(*notices, notice)
		}
		*name = path
		return err
	}
	switch p := to.value.Addr().Interface().(type) {
	case *string:
		if mayNameFile(to.key, *p) {
			return resolve(p)
		}
	case *Mixer:
		for i := range *p {
			if err := resolve(&(*p)[i].Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayNameFile reports whether a key's value may be the name of a local file or folder.
func mayNameFile(key, value string) bool {
	switch key {
	case "model_name_or_path", "prompts", "eval_prompts", "redteam_prompts",
		"data", "eval_data", "include", "eval_include":
		return true
	case "judge", "eval_judge", "redteam_judge":
		return !isService(value)
	case "platform":
		return LooksLikePath(value)
	}
	return false
}

// isService reports whether a judge is a service or none, not a model.
func isService(name string) bool {
	kind, _, _ := strings.Cut(name, ":")
	return kind == "openai" || kind == "perspective" || kind == "none"
}

// SmolLM2 is the built-in name of the model SmolLM2-135M-Instruct.
const SmolLM2 = "smollm2-135m-instruct"
