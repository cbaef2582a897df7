package preview

import (
	"fmt"
	"io"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Print prints the sets of a stage as text, with the first rows of each.
func (v Stage) Print(w io.Writer, l models.ChatTokenizer, rows int) {
	fmt.Fprintf(w, "stage %s\n", v.Stage)
	for _, s := range v.Sets {
		fmt.Fprintf(w, "\n  %s: %d rows\n", s.Name, s.Rows)
		for _, source := range s.Sources {
			split := ""
			if !datasets.IsFileName(source.Name) { // a file has no splits
				split = "split " + source.Split
			}
			fmt.Fprintf(w, "    %-48s %-18s %d of %d rows taken\n", source.Name, split, source.Used, source.Rows)
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
func printLengths(w io.Writer, lengths Lengths) {
	for _, length := range []struct {
		name string
		q    *Quantiles
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
		documents := "1 document"
		if n := len(d.Starts); n != 1 {
			documents = fmt.Sprintf("%d documents", n)
		}
		fmt.Fprintf(w, "\n    %s (%s)\n      %s%s%s\n",
			d.ID, documents, trained[0], indent(l.Decode(d.IDs, false)), trainedEnd)
	}
}

// safety returns a safety label as a word.
func safety(safe bool) string {
	if safe {
		return "safe"
	}
	return "unsafe"
}
