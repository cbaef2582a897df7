package recipe

import (
	"log/slog"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/edit"
)

// FindTasks finds evaluation tasks by name among the built-in ones and, if include is not empty, the task files in
// that folder. log gets one line about each name that stands for another task. Every error is a *usage.Error.
func FindTasks(names []string, include string, log *slog.Logger) ([]task.Task, error) {
	catalog, err := task.NewCatalog(include, edit.Nearest)
	if err != nil {
		return nil, &usage.Error{Err: err}
	}
	tasks, notices, err := catalog.Select(names)
	if err != nil {
		return nil, &usage.Error{Err: err}
	}
	for _, n := range notices {
		log.Info(n)
	}
	return tasks, nil
}
