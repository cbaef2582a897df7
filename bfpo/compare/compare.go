package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Compare puts models side by side. safety and helpfulness name the tasks of the chart's axes.
func Compare(models []Model, safety, helpfulness []string) (Comparison, error) {
	c := Comparison{Models: models}
	tasks := tasksOf(models)
	if !slices.ContainsFunc(tasks, func(t string) bool { return len(having(models, t)) > 1 }) {
		var all []string
		for _, m := range models {
			all = append(all, fmt.Sprintf("%s has %s", m.Path, strings.Join(slices.Sorted(maps.Keys(m.Tasks)), ", ")))
		}
		return c, usage.Errorf("no task is in two of the folders: %s", strings.Join(all, "; "))
	}
	order := slices.Concat(safety, helpfulness)
	slices.SortStableFunc(tasks, func(a, b string) int { return place(order, a) - place(order, b) })
	for _, task := range tasks {
		c.Rows = append(c.Rows, c.rowsOf(task)...)
	}
	for _, m := range models[1:] {
		for _, key := range slices.Sorted(maps.Keys(m.settings)) {
			if first, said := models[0].settings[key]; said && first != m.settings[key] {
				c.Notes = append(c.Notes, fmt.Sprintf("%s was evaluated with %s %s, %s with %s", m.Name, key, m.settings[key], models[0].Name, first))
			}
		}
	}
	c.Axes = [2]Axis{c.axis("helpfulness", helpfulness), c.axis("safety", safety)}
	return c, nil
}
