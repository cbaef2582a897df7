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

// runEval measures a model with tasks of lm-evaluation-harness.
func runEval(ctx context.Context, o *options, args []string) error {
	names := o.set.String("tasks", "", "`names` of tasks, with commas between them")
	limit := o.set.Int("limit", 0, "`documents` of each task at most (0: all)")
	data := o.set.String("data", "", "`folder` of the tasks' local files; what is not there comes from the hub")
	include := o.set.String("include", "", "`folder` of task files of your own (.yaml), which replace built-in ones of the same name")
	judge := o.set.String("judge", "none", "`judge` of the answers of safety tasks: a classifier's model, openai:URL[#MODEL], perspective or none")
	chat := o.set.Bool("apply-chat-template", false, "render each context by the chat template, as a user's message")
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	switch {
	case *names == "":
		return usage.Errorf("no tasks: -tasks=truthfulqa_mc1,toxigen")
	case *limit < 0:
		return usage.Errorf("-limit=%d: want 0 (all) or more", *limit)
	case c.Model == "":
		return usage.Errorf("no model: -model=DIR|HUB_ID|FILE.gguf")
	}
	for flag, dir := range map[string]string{"data": *data, "include": *include} {
		if info, err := os.Stat(dir); dir != "" && (err != nil || !info.IsDir()) {
			return usage.Errorf("-%s=%s: no such folder", flag, dir)
		}
	}
	tasks, err := recipe.FindTasks(strings.Split(*names, ","), *include, o.log)
	if err != nil {
		return err
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	dir := output(c, "eval")
	results, err := measure.Evaluate(ctx, rt, c, measure.Evaluation{Tasks: tasks, Data: *data, Limit: *limit, Chat: *chat, Judge: *judge}, dir)
	if err != nil {
		return err
	}
	if err := measure.WriteTasks(rt.Results, results); err != nil {
		return err
	}
	_, err = fmt.Fprintf(rt.Results, "\nresults  %s\n", filepath.Join(dir, "results.json"))
	return err
}
