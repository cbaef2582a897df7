package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// stageView describes what a stage would train on, or evaluate, as -json prints it.
type stageView struct {
	Stage   string    `json:"stage"`
	Sets    []setView `json:"sets"`
	Prompts int       `json:"prompts,omitempty"` // of an evaluation
}

// setView describes one set of a stage.
type setView struct {
	Name    string         `json:"name"`
	Rows    int            `json:"rows"`
	Sources []sourceView   `json:"sources"`
	Cases   map[string]int `json:"safety_cases,omitempty"` // pairs by "chosen/rejected", e.g. "safe/unsafe"
	Lengths lengthsView    `json:"lengths"`
	Drops   map[string]int `json:"drops,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
	set     data.Set
}

// sourceView describes one split of a dataset in a set.
type sourceView struct {
	Name  string `json:"name"`
	Split string `json:"split"`
	Rows  int    `json:"rows"`
	Used  int    `json:"used"`
}

// lengthsView holds lengths in tokens: Row for packed documents, the others for pairs.
type lengthsView struct {
	Prompt   *quantiles `json:"prompt,omitempty"`
	Chosen   *quantiles `json:"chosen,omitempty"`
	Rejected *quantiles `json:"rejected,omitempty"`
	Row      *quantiles `json:"row,omitempty"`
}

// quantiles summarize lengths.
type quantiles struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	P95    int `json:"p95"`
	Max    int `json:"max"`
	Total  int `json:"total"`
}

// computeQuantiles summarizes the lengths of rows, of which there is at least one.
func computeQuantiles[T any](rows []T, length func(T) int) *quantiles {
	all := make([]int, len(rows))
	q := &quantiles{}
	for i, r := range rows {
		all[i] = length(r)
		q.Total += all[i]
	}
	slices.Sort(all)
	at := func(share float64) int { return all[int(share*float64(len(all)-1))] }
	q.Min, q.Median, q.P95, q.Max = at(0), at(0.5), at(0.95), at(1)
	return q
}

// runData reads the rows of a recipe and prints what it would train on.
func runData(ctx context.Context, o *options, args []string) error {
	asJSON := o.set.Bool("json", false, "print one JSON object instead of text")
	rows := o.set.Int("rows", 3, "print `N` rows of each set")
	if err := o.parse(args); err != nil {
		return err
	}
	if *rows < 0 {
		return usage.Errorf("-rows=%d: must be 0 or more", *rows)
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	stages, err := o.trainingStages(ctx, c)
	if err != nil {
		return err
	}
	var views []stageView
	add := func(view stageView, language models.ChatTokenizer, err error) error {
		if err != nil {
			return err
		}
		views = append(views, view)
		if !*asJSON {
			printStage(o.std.out, view, language, *rows)
		}
		return nil
	}
	last := c
	for _, stage := range stages {
		if stage.Model == "" {
			stage.Model = last.Model // the models of all stages have the same vocabulary
		}
		last = stage
		if err := add(o.viewStage(ctx, stage)); err != nil {
			return err
		}
	}
	for _, s := range c.Stages {
		if s.Kind == "eval" && (len(s.Eval.DatasetMixer) > 0 || s.Eval.Prompts != "") {
			if err := add(o.viewEvalStage(ctx, last, s.Eval)); err != nil {
				return err
			}
		}
	}
	if *asJSON {
		return writeLine(o.std.out, map[string]any{"stages": views[:len(stages)], "evaluations": views[len(stages):]})
	}
	return nil
}

// trainingStages returns the training stages of a recipe. A recipe without stages is a single stage. If it names no
// objective, its rows decide: pairs make a preference stage and dialogues a supervised one.
func (o *options) trainingStages(ctx context.Context, c recipe.Config) ([]recipe.Config, error) {
	var stages []recipe.Config
	for _, s := range c.Stages {
		if s.Kind != "eval" {
			stages = append(stages, s.Config)
		}
	}
	if len(c.Stages) > 0 {
		return stages, nil
	}
	kinds := []string{"train", "sft"}
	if c.Origin("objective") != "" || c.Origin("loss_type") != "" {
		kinds = kinds[:1]
		if c.Objective == "sft" {
			kinds = []string{"sft"}
		}
	}
	var errs []error
	for _, kind := range kinds {
		stage, err := c.ForStage(kind)
		if err == nil && len(kinds) > 1 {
			_, _, err = o.viewStage(ctx, stage)
		}
		if err == nil {
			return []recipe.Config{stage}, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[0]
}

// viewStage reads the rows of a stage and describes them.
func (o *options) viewStage(ctx context.Context, c recipe.Config) (stageView, models.ChatTokenizer, error) {
	view := stageView{Stage: c.Objective}
	checkpoint, language, err := o.open(ctx, c)
	if err != nil {
		return view, language, err
	}
	sets, err := data.Read(ctx, c, checkpoint.Config, language, o.hub(), "")
	if err := errors.Join(err, checkpoint.Close()); err != nil {
		return view, language, err
	}
	for _, set := range sets.NonEmpty() {
		view.Sets = append(view.Sets, viewSet(set))
	}
	return view, language, nil
}

// viewEvalStage reads the held-out pairs and the prompts of an evaluation of the model that c trains, and describes the
// pairs.
func (o *options) viewEvalStage(
	ctx context.Context, c recipe.Config, e recipe.EvalStage,
) (view stageView, language models.ChatTokenizer, err error) {
	view.Stage, view.Sets = "eval", []setView{}
	checkpoint, language, err := o.open(ctx, c)
	if err != nil {
		return view, language, err
	}
	defer checkpoint.Close()
	set, prompts, err := data.ReadEvaluation(ctx, c, checkpoint.Config, language, e, o.hub(), "", o.log())
	if err != nil {
		return view, language, fmt.Errorf("stage eval: %w", err)
	}
	if set.Rows > 0 {
		view.Sets = append(view.Sets, viewSet(set))
	}
	view.Prompts = len(prompts)
	return view, language, nil
}

// viewSet describes a set.
func viewSet(s data.Set) setView {
	v := setView{Name: s.Name, Rows: s.Rows, set: s, Drops: map[string]int{}, Notes: s.Notes}
	for _, c := range s.Counts {
		v.Sources = append(v.Sources, sourceView{c.Name, c.Split, c.Rows, c.Used})
	}
	for _, d := range s.Drops {
		v.Drops[d.Reason] = d.Rows
	}
	if len(s.Documents) > 0 {
		v.Lengths.Row = computeQuantiles(s.Documents, func(d batch.Document) int { return len(d.IDs) })
		return v
	}
	v.Cases = map[string]int{
		"safe/safe": s.Cases.SafeSafe, "safe/unsafe": s.Cases.SafeUnsafe,
		"unsafe/safe": s.Cases.UnsafeSafe, "unsafe/unsafe": s.Cases.UnsafeUnsafe,
	}
	responseLength := func(s batch.Sequence) int { return len(s.IDs) - s.PromptLength }
	v.Lengths.Prompt = computeQuantiles(s.Pairs, func(p batch.Pair) int { return p.Chosen.PromptLength })
	v.Lengths.Chosen = computeQuantiles(s.Pairs, func(p batch.Pair) int { return responseLength(p.Chosen) })
	v.Lengths.Rejected = computeQuantiles(s.Pairs, func(p batch.Pair) int { return responseLength(p.Rejected) })
	return v
}

// printStage prints the sets of a stage as text.
func printStage(w io.Writer, v stageView, l models.ChatTokenizer, rows int) {
	fmt.Fprintf(w, "stage %s\n", v.Stage)
	for _, s := range v.Sets {
		fmt.Fprintf(w, "\n  %s: %d rows\n", s.Name, s.Rows)
		for _, source := range s.Sources {
			fmt.Fprintf(w, "    %-48s split %-12s %d of %d rows taken\n", source.Name, source.Split, source.Used, source.Rows)
		}
		for _, name := range []string{"safe/safe", "safe/unsafe", "unsafe/safe", "unsafe/unsafe"} {
			if s.Cases != nil {
				fmt.Fprintf(w, "    %-14s %d\n", name, s.Cases[name])
			}
		}
		printLengths(w, s.Lengths)
		for _, d := range s.set.Drops {
			fmt.Fprintf(w, "    %s\n", d)
		}
		for _, note := range s.set.Notes {
			fmt.Fprintf(w, "    %s\n", note)
		}
		printRows(w, s.set, l, rows)
	}
	if v.Prompts > 0 {
		fmt.Fprintf(w, "\n  prompts: %d\n", v.Prompts)
	}
	fmt.Fprintln(w)
}

// printLengths prints one line for each kind of length that a set has.
func printLengths(w io.Writer, lengths lengthsView) {
	for _, length := range []struct {
		name string
		q    *quantiles
	}{
		{"prompt", lengths.Prompt}, {"chosen", lengths.Chosen}, {"rejected", lengths.Rejected}, {"row", lengths.Row},
	} {
		if q := length.q; q != nil {
			fmt.Fprintf(w, "    %-9s tokens: min %d, median %d, 95 %% %d, max %d, total %d\n",
				length.name, q.Min, q.Median, q.P95, q.Max, q.Total)
		}
	}
}

// printRows prints the first rows. On a terminal, prompts are dim, chosen responses and packed documents green, and
// rejected responses red. Elsewhere the text that is trained on stands between ⟦ and ⟧.
func printRows(w io.Writer, s data.Set, l models.ChatTokenizer, rows int) {
	const dim, green, red, reset = "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
	read, end, trained, trainedEnd := dim, reset, [2]string{green, red}, reset
	if !track.IsTerminal(w) {
		read, end, trained, trainedEnd = "", "", [2]string{"⟦", "⟦"}, "⟧"
	}
	indent := func(text string) string { return strings.ReplaceAll(text, "\n", "\n      ") }
	for _, p := range s.Pairs[:min(rows, len(s.Pairs))] {
		fmt.Fprintf(w, "\n    %s (chosen %s, rejected %s)\n", p.ID, safety(p.ChosenSafe), safety(p.RejectedSafe))
		fmt.Fprintf(w, "      %s%s%s\n", read, indent(l.Decode(p.Chosen.IDs[:p.Chosen.PromptLength], false)), end)
		for i, r := range []batch.Sequence{p.Chosen, p.Rejected} {
			text := indent(l.Decode(r.IDs[r.PromptLength:], false))
			fmt.Fprintf(w, "      %s %s%s%s\n", [2]string{"+", "-"}[i], trained[i], text, trainedEnd)
		}
	}
	for _, d := range s.Documents[:min(rows, len(s.Documents))] {
		fmt.Fprintf(w, "\n    %s (%d documents)\n      %s%s%s\n",
			d.ID, len(d.Starts), trained[0], indent(l.Decode(d.IDs, false)), trainedEnd)
	}
}

// safety returns a safety label as a word.
func safety(safe bool) string {
	if safe {
		return "safe"
	}
	return "unsafe"
}
