package recipe

import "io/fs"

// Load reads and resolves a recipe. name is a recipe in recipes ("zephyr-7b/bfpo") or the path of a file; an empty
// name stands for an empty recipe. Each of sets is "key=value" with a YAML value. Of several values of a key the last
// counts, in this order: the default, the recipe, the file that other_data_config names, sets, typed.
//
// An unknown key, a key given twice, and a value that has the wrong type, is out of range or is not supported are a
// *usage.Error, which names the file and line or the flag.
func Load(recipes fs.FS, name string, sets []string, typed ...Flag) (Config, error) {
	l := loader{recipes}
	file, flags, err := l.entries(name, sets, typed)
	if err != nil {
		return Config{}, err
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

// entries returns the entries of a recipe, which may be none, and of the flags.
func (l loader) entries(name string, sets []string, typed []Flag) (file, flags []entry, err error) {
	flags, err = parseSets(sets, typed)
	if err == nil {
		flags, err = withOurNames(flags)
	}
	if err == nil && name != "" {
		file, err = l.read(name, folder{})
	}
	return file, flags, err
}
