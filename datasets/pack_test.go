package datasets

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// TestOriginalDocumentsGolden compares with rows that the original code packed. It shuffles them after packing, with
// Python's generator, so they are compared without their order.
func TestOriginalDocumentsGolden(t *testing.T) {
	var golden struct {
		Config struct {
			MaxLength int `json:"max_seq_length"`
		}
		Orders struct {
			Texts [2][]string `json:"sft_texts"`
		}
		Train [][]int32 `json:"packed_train"`
		Eval  [][]int32 `json:"packed_eval"`
	}
	fixture.Read(t, &golden, "train", "sft_all_lr1e-3.json")
	format := goldenFormat(t, true)
	format.MaxLength, format.Packing = golden.Config.MaxLength, true
	for i, want := range [][][]int32{golden.Train, golden.Eval} {
		var rows []Dialogue
		for _, text := range golden.Orders.Texts[i] {
			rows = append(rows, Dialogue{ID: "a", Text: text})
		}
		docs, _, err := format.TokenizeDialogues(context.Background(), rows)
		if err != nil {
			t.Fatal(err)
		}
		var have [][]int32
		for _, d := range docs {
			have = append(have, d.IDs)
		}
		slices.SortFunc(have, slices.Compare)
		slices.SortFunc(want, slices.Compare)
		if diff := gocmp.Diff(want, have); diff != "" {
			t.Errorf("set %d: %d rows, want %d", i, len(have), len(want))
		}
	}
}

// TestOriginalMixtureGolden checks that mixture, fraction, shuffle and template give the texts of the original code in
// its order.
func TestOriginalMixtureGolden(t *testing.T) {
	var golden struct {
		Orders struct {
			Texts [2][]string `json:"sft_texts"`
		}
	}
	fixture.Read(t, &golden, "train", "sft_all_lr1e-3.json")
	m := Mixture{
		Sets:       []MixtureSet{{"chat_train.jsonl", 1}, {"pku_train.jsonl", 0.2}},
		Split:      "train_sft",
		BaseFolder: fixture.Path(t, "data"),
		Shuffle:    true, Seed: 42,
	}
	rows, counts, err := m.ReadDialogues(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := []SetCount{
		{Name: "chat_train.jsonl", Split: "train", Rows: 40, Used: 40},
		{Name: "pku_train.jsonl", Split: "train", Rows: 240, Used: 48},
	}
	if diff := gocmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +have):\n%s", diff)
	}
	format := goldenFormat(t, true)
	var texts []string
	for _, d := range rows {
		text, err := format.render(t.Context(), withSystem(d.Messages), d.Variables, false)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	if diff := gocmp.Diff(golden.Orders.Texts[0], texts); diff != "" {
		t.Errorf("texts (-want +have):\n%s", diff)
	}
}

// TestOriginalPreferencesGolden compares with the preferences that the original code trained on, their order and token
// ids, from the raw file on.
func TestOriginalPreferencesGolden(t *testing.T) {
	var golden struct {
		Config struct {
			MaxLength       int `json:"max_length"`
			MaxPromptLength int `json:"max_prompt_length"`
		}
		Orders struct {
			Train []struct {
				Chosen     []int32 `json:"chosen_input_ids"`
				Rejected   []int32 `json:"rejected_input_ids"`
				ChosenSafe int     `json:"is_chosen_safe"`
			} `json:"train_dataset"`
		}
	}
	fixture.Read(t, &golden, "train", "bfpo_buf_all_lr1e-3.json")
	m := Mixture{
		Sets:       []MixtureSet{{"pku_train.jsonl", 0.2}},
		Split:      "train_prefs",
		BaseFolder: fixture.Path(t, "data"),
		Shuffle:    true,
		Seed:       42,
	}
	rows, _, err := m.ReadPreferences(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	format := goldenFormat(t, true)
	format.MaxLength, format.MaxPromptLength = 1024, 512
	pairs, _, err := format.TokenizePreferences(context.Background(), rows)
	if err != nil || len(pairs) != len(golden.Orders.Train) {
		t.Fatal(err, len(pairs))
	}
	for i, want := range golden.Orders.Train {
		have := pairs[i]
		if !slices.Equal(want.Chosen, have.Chosen.IDs) || !slices.Equal(want.Rejected, have.Rejected.IDs) ||
			(want.ChosenSafe == 1) != have.ChosenSafe {
			t.Errorf("row %d (%s) differs", i, have.ID)
		}
	}
}

func TestPackByHand(t *testing.T) {
	doc := func(id string, n int32) tokenized {
		d := tokenized{id: id}
		for i := range n {
			d.ids = append(d.ids, i+1)
		}
		return d
	}
	docs := []tokenized{doc("a", 4), doc("b", 3), doc("c", 2), doc("d", 7), doc("e", 3)}
	have, splitIDs := packDocuments(docs, 6, maxOpenRows)
	// c fills the row of a. d is longer than a row: 3 of its tokens go after b, and 4 begin a row, where e does not
	// fit.
	want := []batch.Document{
		{ID: "a,c", IDs: []int32{1, 2, 3, 4, 1, 2}, Starts: []int{0, 4}},
		{ID: "b,d", IDs: []int32{1, 2, 3, 1, 2, 3}, Starts: []int{0, 3}},
		{ID: "d", IDs: []int32{4, 5, 6, 7}, Starts: []int{0}},
		{ID: "e", IDs: []int32{1, 2, 3}, Starts: []int{0}},
	}
	if diff := gocmp.Diff(want, have); diff != "" {
		t.Errorf("rows (-want +have):\n%s", diff)
	}
	if !slices.Equal(splitIDs, []string{"d"}) {
		t.Errorf("split %v, want [d]", splitIDs)
	}
}

func TestCleanDocuments(t *testing.T) {
	format := goldenFormat(t, false)
	format.MaxLength, format.Packing = 64, true
	rows := []Dialogue{
		{ID: "a", Messages: []chat.Message{{Role: "user", Content: "Hi"}, {Role: "assistant", Content: "Hello"}}},
		{ID: "b", Text: "Plain text</s>\n"},
		{ID: "c", Text: " </s> "},
		{ID: "d", InputIDs: []int32{5, 6, 7}},
	}
	docs, drops, err := format.TokenizeDialogues(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(Drops{Dropped: map[string][]string{DropNoText: {"c"}}}, drops); diff != "" {
		t.Errorf("drops (-want +have):\n%s", diff)
	}
	first := format.Tokenizer.Encode("<|user|>\nHi</s>\n<|assistant|>\nHello", true)
	second := format.Tokenizer.Encode("Plain text", true)
	want := []batch.Document{
		{ID: "a,b", IDs: slices.Concat(first, []int32{2}, second, []int32{2}), Starts: []int{0, len(first) + 1}},
		{ID: "d", IDs: []int32{5, 6, 7}, Starts: []int{0}},
	}
	if diff := gocmp.Diff(want, docs); diff != "" {
		t.Errorf("rows (-want +have):\n%s", diff)
	}

	format.Packing = false
	if docs, _, err = format.TokenizeDialogues(context.Background(), rows); err != nil || len(docs) != 3 {
		t.Errorf("unpacked: %d rows, %v", len(docs), err)
	}
	for _, bad := range []Dialogue{{InputIDs: []int32{5, 1 << 30}}, {InputIDs: make([]int32, 65)}} {
		_, _, err := format.TokenizeDialogues(context.Background(), []Dialogue{bad})
		if err == nil || !strings.Contains(err.Error(), "input_ids") {
			t.Errorf("error %v", err)
		}
	}
}

func TestSplitEvenly(t *testing.T) {
	for _, test := range []struct{ n, limit, runs int }{{5, 0, 1}, {5, 5, 1}, {6, 5, 2}, {11, 5, 3}} {
		runs := splitEvenly(make([]int32, test.n), test.limit)
		shortest := slices.MinFunc(runs, func(a, b []int32) int { return cmp.Compare(len(a), len(b)) })
		if len(runs) != test.runs || test.n > 1 && len(shortest) < 2 {
			t.Errorf("%+v: %d runs, the shortest of %d", test, len(runs), len(shortest))
		}
	}
}
