package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// runEval evaluates a model on tasks of lm-evaluation-harness.
func runEval(ctx context.Context, o *options, args []string) error {
	names := o.set.String("tasks", "", "`names` of tasks, separated by commas")
	limit := o.set.Int("limit", 0, "maximum number of `documents` of each task (0: all)")
	data := o.set.String("data", "", "`folder` with local files of the tasks; files that it lacks come from the hub")
	include := o.set.String("include", "",
		"`folder` with your own task files (.yaml); they replace built-in tasks of the same name")
	judge := o.set.String("judge", "none",
		"`judge` that rates the answers of safety tasks: a classifier model, openai:URL[#MODEL], perspective or none")
	chat := o.set.Bool("apply-chat-template", false, "render each context as a user's message with the chat template")
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	switch {
	case *names == "":
		return usage.Errorf("no tasks: give some, such as -tasks=truthfulqa_mc1,toxigen")
	case *limit < 0:
		return usage.Errorf("-limit=%d: must be 0 (all) or more", *limit)
	case c.Model == "":
		return usage.Errorf("no model: give -model=DIR|HUB_ID|FILE.gguf")
	}
	for flag, dir := range map[string]string{"data": *data, "include": *include} {
		if info, err := os.Stat(dir); dir != "" && (err != nil || !info.IsDir()) {
			return usage.Errorf("-%s=%s: no such folder%s", flag, dir, usage.NearestFile(dir))
		}
	}
	tasks, err := recipe.FindTasks(strings.Split(*names, ","), *include, o.log())
	if err != nil {
		return err
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	dir := output(c, "eval")
	release, err := claim(dir)
	if err != nil {
		return err
	}
	defer release()
	what := measure.Options{Tasks: tasks, Data: *data, Limit: *limit, ApplyChatTemplate: *chat, Judge: *judge}
	results, err := measure.Evaluate(ctx, rt, c, what, dir)
	if err != nil {
		return err
	}
	if err := measure.WriteTable(rt.Results, results); err != nil {
		return err
	}
	_, err = fmt.Fprintf(rt.Results, "\nresults  %s\n", filepath.Join(dir, "results.json"))
	return err
}
