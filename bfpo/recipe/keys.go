package recipe

import (
	_ "embed"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/fields"
)

// configSource is the source of Config, whose comments explain the keys.
//
//go:embed config.go
var configSource string

// Keys lists the keys of a recipe with their types, defaults and comments, in the order of Config.
func Keys() ([]fields.Field, error) {
	keys, err := fields.Parse(configSource, "Config", "yaml")
	if err != nil {
		return nil, err
	}
	defaults := Default()
	for i, key := range keys {
		f, ok := fieldOf(&defaults, key.Name)
		if !ok || f.value.IsZero() {
			continue
		}
		text, err := yaml.Marshal(f.node())
		if err != nil {
			return nil, err
		}
		keys[i].Default = inline(string(text))
	}
	return keys, nil
}

// EvalStageKeys lists the keys of a stage eval.
func EvalStageKeys() ([]fields.Field, error) { return fields.Parse(configSource, "EvalStage", "yaml") }

// inline returns a YAML value on one line.
func inline(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if strings.HasPrefix(lines[0], "- ") {
		for i, line := range lines {
			lines[i] = strings.TrimPrefix(line, "- ")
		}
		return "[" + strings.Join(lines, ", ") + "]"
	}
	return strings.Join(lines, " ")
}

// IsKey reports whether name is a key of a recipe, or another version's name of one.
func IsKey(name string) bool {
	c := Default()
	_, ok := fieldOf(&c, name)
	return ok || otherNames[name] != ""
}

// KeysWithoutEffect lists the keys of transformers and TRL that a recipe may have although they change nothing here.
func KeysWithoutEffect() []string {
	var keys []string
	for key, allowed := range inertKeys {
		if allowed == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
