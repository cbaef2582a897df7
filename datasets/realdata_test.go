package datasets

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// TestRealPreferences reads, tokenises and lays out real sets in the layouts of the hub; -v prints figures.
func TestRealPreferences(t *testing.T) {
	tests := []struct {
		set, split string
		rows       int
		cases      [4]int // safe/safe, safe/unsafe, unsafe/safe, unsafe/unsafe of chosen/rejected
	}{
		{"pku_saferlhf", "train", 1500, [4]int{}},
		{"pku_saferlhf", "test_prefs", 200, [4]int{}},
		{"ultrafeedback_binarized", "train_prefs", 1154, [4]int{1154, 0, 0, 0}},
		{"ultrafeedback_binarized", "test_prefs", 179, [4]int{179, 0, 0, 0}},
		{"hh_harmless_binarized", "test_prefs", 350, [4]int{350, 0, 0, 0}},
		{"redteaming_format/redteaming_sample.json", "train", 100, [4]int{}},
	}
	format := goldenFormat(t, false)
	format.MaxLength, format.MaxPromptLength = 1024, 512
	for _, test := range tests {
		m := Mixture{
			Sets:       []MixtureSet{{test.set, 1}},
			Split:      test.split,
			BaseFolder: fixture.Shared(t, "data"),
			Shuffle:    true,
			Seed:       42,
		}
		rows, _, err := m.ReadPreferences(context.Background())
		if err != nil {
			t.Error(err)
			continue
		}
		var cases [4]int
		for _, r := range rows {
			i := 0
			if !r.ChosenSafe {
				i += 2
			}
			if !r.RejectedSafe {
				i++
			}
			cases[i]++
		}
		if len(rows) != test.rows || test.cases != [4]int{} && cases != test.cases {
			t.Errorf("%s %s: %d rows, label cases %v; want %d, %v",
				test.set, test.split, len(rows), cases, test.rows, test.cases)
		}
		begin := time.Now()
		pairs, drops, err := format.TokenizePreferences(context.Background(), rows)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(pairs)+drops.Total() != len(rows) {
			t.Errorf("%s %s: %d pairs, %d drops of %d rows", test.set, test.split, len(pairs), drops.Total(), len(rows))
		}
		t.Logf("%s %s: %d rows, labels %v, tokenised in %v, cut %d, dropped %s", test.set, test.split, len(rows), cases,
			time.Since(begin).Round(time.Millisecond), len(drops.Cut), describeDrops(drops))
		for _, size := range []int{4, 8} {
			checkLayout(t, pairs, size)
		}
	}
}

// describeDrops counts the dropped rows of each reason.
func describeDrops(d Drops) string {
	var out []string
	for reason, ids := range d.Dropped {
		out = append(out, fmt.Sprintf("%d %s", len(ids), reason))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// checkLayout fills the batches of two epochs and checks that they have fewer tokens, padding included, than separate
// rows that are padded to the longest of their micro-batch.
func checkLayout(t *testing.T, pairs []batch.Pair, size int) {
	t.Helper()
	l := batch.Loader[batch.Pair]{Rows: pairs, Size: size, Epochs: 2, Shuffle: true, Seed: 42}
	begin := time.Now()
	shapes := batch.PlanShapes(l.Peek(2*l.MicroBatches()), batch.Shared, 1, 4)
	planned := time.Since(begin)
	real, computed, padded := 0, 0, 0
	begin = time.Now()
	for examples, ok := l.Next(); ok; examples, ok = l.Next() {
		for _, b := range fillBatches(t, examples, batch.Shared, shapes) {
			real += b.RealTokens
			computed += b.Rows * b.Length
		}
		longest := 0
		for _, p := range examples {
			longest = max(longest, len(p.Chosen.IDs), len(p.Rejected.IDs))
		}
		padded += 2 * len(examples) * longest
	}
	if computed >= padded {
		t.Errorf("micro-batches of %d: %d tokens computed, %d in separate rows padded to the longest",
			size, computed, padded)
	}
	t.Logf("  micro-batches of %d: real tokens %d; computed %d (%.2f per real token); separate padded rows %d (%.2f); "+
		"planned in %v, filled in %v; %v",
		size, real, computed, float64(computed)/float64(real), padded, float64(padded)/float64(real),
		planned.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond), shapes)
}

func TestRealDialogues(t *testing.T) {
	format := goldenFormat(t, false)
	format.MaxLength, format.Packing = 2048, true
	for split, want := range map[string]int{"train_sft": 1350, "test_sft": 150} {
		m := Mixture{
			Sets:       []MixtureSet{{"ultrachat_200k", 1}},
			Split:      split,
			BaseFolder: fixture.Shared(t, "data"),
			Shuffle:    true,
			Seed:       42,
		}
		rows, _, err := m.ReadDialogues(context.Background())
		if err != nil || len(rows) != want {
			t.Fatal(len(rows), err)
		}
		docs, drops, err := format.TokenizeDialogues(context.Background(), rows)
		if err != nil {
			t.Fatal(err)
		}
		tokens := 0
		for _, d := range docs {
			tokens += len(d.IDs)
		}
		fill := float64(tokens) / float64(len(docs)*format.MaxLength)
		if fill < 0.9 {
			t.Errorf("%s: rows are only %.0f %% full", split, 100*fill)
		}
		t.Logf("%s: %d dialogues, %d tokens in %d rows of %d (%.1f %% full), split %d, dropped %s",
			split, len(rows), tokens, len(docs), format.MaxLength, 100*fill, len(drops.Cut), describeDrops(drops))
	}
}

// TestRealImplicitPrompts reads the raw dialogues of hh-rlhf, two texts a row without a column prompt: their common
// beginning is the prompt.
func TestRealImplicitPrompts(t *testing.T) {
	m := Mixture{Sets: []MixtureSet{{"hh_rlhf", 1}}, Split: "test", BaseFolder: fixture.Shared(t, "data")}
	rows, _, err := m.ReadPreferences(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if !strings.HasPrefix(row.PromptText, "\n\nHuman: ") || !strings.Contains(row.PromptText, "\n\nAssistant:") ||
			row.ChosenText == row.RejectedText {
			t.Errorf("row %s: prompt %q, answers %q and %q", row.ID, row.PromptText, row.ChosenText, row.RejectedText)
		}
	}
	if len(rows) == 0 {
		t.Error("no rows")
	}
}

// TestQuickstart reads the embedded sets.
func TestQuickstart(t *testing.T) {
	rows, _, err := Mixture{
		Sets:  []MixtureSet{{"quickstart/safety", 1}},
		Split: "train",
	}.ReadPreferences(context.Background())
	if err != nil || len(rows) < 100 {
		t.Errorf("safety: %d rows, %v", len(rows), err)
	}
	dialogues, _, err := Mixture{
		Sets:  []MixtureSet{{"quickstart/sft", 1}},
		Split: "train",
	}.ReadDialogues(context.Background())
	if err != nil || len(dialogues) < 20 {
		t.Errorf("sft: %d rows, %v", len(dialogues), err)
	}
}

// fillBatches splits examples into batches and fills them.
func fillBatches[T batch.Example](t testing.TB, examples []T, layout batch.Layout, shapes []batch.Shape) []batch.Batch {
	t.Helper()
	split, err := batch.Split(examples, layout, shapes)
	if err != nil {
		t.Fatal(err)
	}
	var batches []batch.Batch
	for _, members := range split {
		b, err := batch.Fill(members, layout, shapes)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	return batches
}
