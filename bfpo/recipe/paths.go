package recipe

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// BuiltinModels are the model names that never mean a folder or a hub id.
func BuiltinModels() []string { return []string{SmolLM2, "tiny"} }

// QuickstartPrefix begins the names of the datasets that are part of the program.
const QuickstartPrefix = "quickstart/"

// folder is what relative names in one recipe file are relative to.
type folder struct {
	path    string // "" is the working directory
	builtin bool   // a built-in recipe: only names that cannot be anything but a file are files
}

// localName turns the name of a local file or folder into an absolute path and leaves hub ids and built-in names alone. A name is local
// when it is written as a path (/…, ./…, ../…), has the ending of a file that is read here, or exists in the folder. What exists
// only in the working directory is taken from there, as Python would, and notice says so.
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
	if here, err := filepath.Abs(name); err == nil && f.path != "" && !Exists(joined) && Exists(here) {
		return here, fmt.Sprintf("%s is not beside its recipe; taken from the working directory: %s", name, here), nil
	}
	if LooksLikePath(name) || !f.builtin && Exists(joined) {
		return joined, "", nil
	}
	return name, "", nil
}

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

func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// localNames resolves a value that names models, datasets or a plugin; other fields are left as they are.
func (f folder) localNames(to *field, notices *[]string) error {
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
		if to.key == "model_name_or_path" || to.key == "prompts" || to.key == "data" || to.key == "include" || to.key == "platform" && LooksLikePath(*p) ||
			strings.HasSuffix(to.key, "judge") && !isService(*p) || strings.HasSuffix(to.key, "_prompts") || to.key == "eval_data" || to.key == "eval_include" {
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

// isService tells a judge that is no model.
func isService(name string) bool {
	kind, _, _ := strings.Cut(name, ":")
	return kind == "openai" || kind == "perspective" || kind == "none"
}

// smolLM2 is the built-in name of that model.
const SmolLM2 = "smollm2-135m-instruct"
