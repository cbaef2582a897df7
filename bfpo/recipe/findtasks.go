package recipe

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// FindTasks finds tasks by name: the built-in ones and those of the files in the folder include, if it is not empty. notice gets one line
// about each name that was taken for another. All its errors are *UsageError.
func FindTasks(names []string, include string, notice func(format string, args ...any)) ([]task.Task, error) {
	catalog, err := task.NewCatalog(include, usage.Nearest)
	if err != nil {
		return nil, &usage.Error{Err: err}
	}
	tasks, notices, err := catalog.Select(names)
	if err != nil {
		return nil, &usage.Error{Err: fmt.Errorf("%w; there are: %s", err, strings.Join(catalog.Names(), ", "))}
	}
	for _, n := range notices {
		notice("%s", n)
	}
	return tasks, nil
}
