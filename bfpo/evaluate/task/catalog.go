package task

import (
	"embed"
	"errors"
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
	broken  map[string]error // by the name of the task, or of the file where it names no task
	suggest Suggest
}

// NewCatalog reads the built-in tasks and, unless include is empty, the .yaml files in the folder include and its
// subfolders. Tasks of the folder replace built-in ones of the same name. Files whose names begin with _ define no
// task: others include them. A file of the folder that cannot be read refuses no other task; Select returns its error
// when its task is asked for. suggest proposes names for unknown ones.
func NewCatalog(include string, suggest Suggest) (Catalog, error) {
	c := Catalog{map[string]Task{}, map[string]error{}, suggest}
	builtin, err := fs.Sub(embedded, "builtin")
	if err != nil {
		return c, err
	}
	if err := c.add(builtin, "built-in tasks"); err != nil || include == "" {
		return c, err
	}
	if len(c.broken) > 0 {
		return c, fmt.Errorf("built-in tasks: %w", errors.Join(slices.Collect(maps.Values(c.broken))...))
	}
	root, err := os.OpenRoot(include)
	if err != nil {
		return c, fmt.Errorf("task files: %w", err)
	}
	defer root.Close()
	return c, c.add(root.FS(), include)
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
		if t.Name == "" {
			t.Name = strings.TrimSuffix(path.Base(name), path.Ext(name))
		}
		if other, twice := found[t.Name]; twice && err == nil {
			err = fmt.Errorf("%s: task %s is in %s already", t.File, t.Name, other)
		}
		if err != nil {
			c.broken[t.Name] = err
			return nil
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
		if err, broken := c.broken[name]; broken {
			return nil, nil, err
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
			return nil, nil, fmt.Errorf("task %q is unknown%s%s; there are: %s", name, near, c.describeBroken(),
				strings.Join(c.Names(), ", "))
		}
		if !slices.ContainsFunc(tasks, func(other Task) bool { return other.Name == t.Name }) {
			tasks = append(tasks, t)
		}
	}
	return tasks, notices, nil
}

// describeBroken returns the end of an error message about a task that is not found: which files could not be read,
// since one of them may define the task.
func (c Catalog) describeBroken() string {
	if len(c.broken) == 0 {
		return ""
	}
	first := slices.Sorted(maps.Keys(c.broken))[0]
	return fmt.Sprintf("; task files that could not be read: %d, among them: %v", len(c.broken), c.broken[first])
}
