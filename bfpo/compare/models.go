package compare

import (
	"maps"
	"slices"
)

// tasksOf returns the names of all tasks, sorted.
func tasksOf(models []Model) []string {
	all := map[string]bool{}
	for _, m := range models {
		for name := range m.Tasks {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// modelsWith returns the models that have a task.
func modelsWith(models []Model, task string) (with []Model) {
	for _, m := range models {
		if _, ok := m.Tasks[task]; ok {
			with = append(with, m)
		}
	}
	return with
}

// rank returns the index of a name in a list, or the list's length if it lacks the name.
func rank(order []string, name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

// documentsOf returns the numbers of all documents of a task, sorted.
func documentsOf(models []Model, task string) []int {
	ids := map[int]bool{}
	for _, m := range models {
		for id := range m.Tasks[task].Documents {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
