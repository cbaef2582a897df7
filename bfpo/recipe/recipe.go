package recipe

import (
	"io/fs"
)

// LoadConfig reads a recipe and resolves it. The name is that of a recipe in recipes ("zephyr-7b/bfpo") or the path of a file; with an
// empty name there are only the defaults. Each of sets is "key=value" with a YAML value. Later beats earlier: defaults, the file, the
// file its other_data_config names, sets.
//
// A recipe is read strictly: an unknown key, a key given twice, a value of the wrong type or out of range is a *UsageError that names the
// place. So is an active key that is not built yet.
func Load(recipes fs.FS, name string, sets []string) (Config, error) {
	l := loader{recipes}
	flags, err := parseSets(sets)
	if err != nil {
		return Config{}, err
	}
	var file []entry
	if name != "" {
		if file, err = l.read(name, folder{}); err != nil {
			return Config{}, err
		}
	}
	c, err := l.resolve(file, flags)
	if err != nil {
		return Config{}, err
	}
	if e, ok := lastEntry("stages", file, flags); ok && !isNull(e.value) {
		if c.Stages, err = l.stages(e, without("stages", file), without("stages", flags)); err != nil {
			return Config{}, err
		}
	}
	return c, c.validate()
}
