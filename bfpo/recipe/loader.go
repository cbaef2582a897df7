package recipe

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// loader reads recipe files.
type loader struct {
	recipes fs.FS // the built-in recipes; nil if there are none
}

// read finds a recipe by name and splits it into entries. from is the folder of the recipe that names it.
func (l loader) read(name string, from folder) ([]entry, error) {
	text, shown, dir, err := l.open(name, from)
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, usage.Errorf("%s: %w%s", shown, err, yamlAdvice(err))
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, usage.Errorf("%s: a recipe is one YAML document; there is a second one", shown)
	}
	entries, err := splitMapping(doc.Content[0], entry{file: shown, dir: dir})
	if err != nil {
		return nil, err
	}
	return withOurNames(entries)
}

// yamlAdvice returns the end of a message about a file that is not YAML: what to do about the usual mistakes.
func yamlAdvice(err error) string {
	if strings.Contains(err.Error(), "did not find expected key") {
		return "; check indentation and quotes from that line on"
	}
	for _, usual := range []string{"could not find expected ':'", "mapping values are not allowed"} {
		if strings.Contains(err.Error(), usual) {
			return `; write a key and its value with a colon and a space: "beta: 0.1"`
		}
	}
	return ""
}

// open reads a recipe's text. A name that ends in .yaml or .yml is a file, relative to the folder from; any other
// name is a built-in recipe or, if there is none, a file. shown is the file as messages show it, and dir its folder.
func (l loader) open(name string, from folder) (text []byte, shown string, dir folder, err error) {
	isFile := filepath.Ext(name) == ".yaml" || filepath.Ext(name) == ".yml"
	if !isFile && l.recipes != nil {
		if text, err := fs.ReadFile(l.recipes, name+".yaml"); err == nil {
			return text, name + ".yaml", folder{builtin: true}, nil
		}
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(from.path, path)
	}
	if text, err = atomicfile.ReadLimited(path, maxRecipe); err == nil {
		return text, path, folder{path: filepath.Dir(path)}, nil
	}
	if isFile {
		return nil, "", folder{}, usage.Errorf("recipe %s: %w%s", name, err, usage.NearestFile(path))
	}
	names := l.names()
	return nil, "", folder{}, usage.Errorf("recipe %s: neither a file nor one of %s%s", name, usage.OneOf(names),
		usage.DidYouMean(name, names))
}

// maxRecipe is the largest size of a recipe file in bytes.
const maxRecipe = 4 << 20

// names lists the built-in recipes.
func (l loader) names() []string {
	var names []string
	if l.recipes == nil {
		return nil
	}
	err := fs.WalkDir(l.recipes, ".", func(path string, d fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(path, ".yaml"); ok && err == nil {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil
	}
	return names
}
