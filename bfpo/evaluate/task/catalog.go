package task

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

//go:embed builtin/*.yaml
var embedded embed.FS

// Catalog holds all tasks that can be selected by name.
type Catalog struct {
	tasks   map[string]Task
	suggest Suggest
}

// NewCatalog reads the built-in tasks and, unless include is empty, the .yaml files in the folder include and its
// subfolders. Tasks of the folder replace built-in ones of the same name. Files whose names begin with _ define no
// task: others include them. Errors name the file and, where they can, the line. suggest proposes names for unknown
// ones.
func NewCatalog(include string, suggest Suggest) (Catalog, error) {
	c := Catalog{map[string]Task{}, suggest}
	builtin, err := fs.Sub(embedded, "builtin")
	if err != nil {
		return c, err
	}
	if err := c.add(builtin, "built-in tasks"); err != nil || include == "" {
		return c, err
	}
	return c, c.add(os.DirFS(include), include)
}

// add reads the task files in files; folder names them in errors.
func (c Catalog) add(files fs.FS, folder string) error {
	found := map[string]string{}
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("task files in %s: %w", folder, err)
		case d.IsDir() || path.Ext(name) != ".yaml" || strings.HasPrefix(path.Base(name), "_"):
			return nil
		}
		t, err := readTask(files, folder, name, c.suggest)
		if err != nil {
			return err
		}
		if other, twice := found[t.Name]; twice {
			return fmt.Errorf("%s: task %s is in %s already", t.File, t.Name, other)
		}
		found[t.Name], c.tasks[t.Name] = t.File, t
		return nil
	})
}

// Names returns the names of all tasks, sorted.
func (c Catalog) Names() []string { return slices.Sorted(maps.Keys(c.tasks)) }

// Select finds tasks by their names or aliases, each once, in the given order. notices report which aliases were
// resolved. The first name may begin with "tasks=", as in the task lists of the original code's README.
func (c Catalog) Select(names []string) (tasks []Task, notices []string, err error) {
	aliases := map[string]string{}
	for _, name := range c.Names() {
		for _, alias := range c.tasks[name].Aliases {
			aliases[alias] = name
		}
	}
	for i, name := range names {
		name = strings.TrimSpace(name)
		if i == 0 {
			name = strings.TrimPrefix(name, "tasks=")
		}
		t, ok := c.tasks[name]
		if alias, isAlias := aliases[name]; !ok && isAlias {
			notices = append(notices, fmt.Sprintf("task %s is %s", name, alias))
			t, ok = c.tasks[alias], true
		}
		if !ok {
			near := ""
			if n := c.suggest(name, slices.Concat(c.Names(), slices.Collect(maps.Keys(aliases)))); n != "" {
				near = "; did you mean " + n + "?"
			}
			return nil, nil, fmt.Errorf("task %q is unknown%s", name, near)
		}
		if !slices.ContainsFunc(tasks, func(other Task) bool { return other.Name == t.Name }) {
			tasks = append(tasks, t)
		}
	}
	return tasks, notices, nil
}
