package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// goldenFormat is the text format of the recorded runs: the Mistral tokenizer and the zephyr template.
func goldenFormat(t testing.TB, original bool) TextFormat {
	t.Helper()
	template, err := chat.NewTemplate(chat.ZephyrTemplate, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	return TextFormat{Tokenizer: mistralTokenizer(t), Template: template, Original: original}
}

// goldenRows returns the rows of a recorded .jsonl file.
func goldenRows(t testing.TB, name string) []row {
	t.Helper()
	f, err := os.Open(fixture.Path(t, "data", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []row
	err = rowfile.Read(f, name, nil, func(_ int, r map[string]any, wrong error) error {
		rows = append(rows, r)
		return wrong
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// edgePairs returns the recorded edge cases of preferences.
func edgePairs(t testing.TB) []Preference {
	t.Helper()
	var out []Preference
	for _, r := range goldenRows(t, "edge_pairs.jsonl") {
		p, err := readExample(preferenceSchemas(), r)
		if err != nil {
			t.Fatal(err)
		}
		p.ID = r["name"].(string)
		out = append(out, p)
	}
	return out
}

// TestOriginalPairsGolden compares with tokenize_row of the original code on 61 edge cases and five settings.
func TestOriginalPairsGolden(t *testing.T) {
	var golden struct {
		Settings map[string][]struct {
			Name          string
			Chosen        []int32 `json:"chosen_input_ids"`
			ChosenStart   int     `json:"chosen_label_start"`
			Rejected      []int32 `json:"rejected_input_ids"`
			RejectedStart int     `json:"rejected_label_start"`
		}
	}
	fixture.Read(t, &golden, "tokenized_rows.json")
	rows := edgePairs(t)
	for setting, cases := range golden.Settings {
		format := goldenFormat(t, true)
		var mode string
		const pattern = "max_length=%d,max_prompt_length=%d,%s"
		if _, err := fmt.Sscanf(setting, pattern, &format.MaxLength, &format.MaxPromptLength, &mode); err != nil {
			t.Fatal(err)
		}
		if mode == "keep_start" {
			format.TruncationSide = "right"
		}
		pairs, drops, err := format.TokenizePreferences(context.Background(), rows)
		if err != nil || drops.Total() != 0 || len(pairs) != len(rows) {
			t.Fatal(err, drops)
		}
		for _, want := range cases {
			i := slices.IndexFunc(pairs, func(p batch.Pair) bool { return p.ID == want.Name })
			chosen := batch.Sequence{IDs: want.Chosen, PromptLength: want.ChosenStart}
			if diff := cmp.Diff(chosen, pairs[i].Chosen); diff != "" {
				t.Errorf("%s: %s: chosen (-want +have):\n%s", setting, want.Name, diff)
			}
			rejected := batch.Sequence{IDs: want.Rejected, PromptLength: want.RejectedStart}
			if diff := cmp.Diff(rejected, pairs[i].Rejected); diff != "" {
				t.Errorf("%s: %s: rejected (-want +have):\n%s", setting, want.Name, diff)
			}
		}
	}
}

// TestOriginalTextsGolden compares with the texts and labels of the original code for rows of every layout that it
// reads.
func TestOriginalTextsGolden(t *testing.T) {
	var golden []struct {
		Raw                      json.RawMessage
		Prompt, Chosen, Rejected string
		ChosenSafe               int     `json:"is_chosen_safe"`
		RejectedSafe             int     `json:"is_rejected_safe"`
		SFT                      *string `json:"sft_text"`
	}
	fixture.Read(t, &golden, "formatting_rows.json")
	format := goldenFormat(t, true)
	for i, g := range golden {
		raw, err := rowfile.ParseObject(g.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if g.SFT != nil {
			d, err := readExample(dialogueSchemas(""), raw)
			if err != nil {
				t.Fatal(err)
			}
			text, err := format.render(t.Context(), withSystem(d.Messages), d.Variables, false)
			if err != nil || text != *g.SFT {
				t.Errorf("row %d: have %q, want %q (%v)", i, text, *g.SFT, err)
			}
			continue
		}
		p, err := readExample(preferenceSchemas(), raw)
		if err != nil {
			t.Fatal(err)
		}
		prompt, chosen, rejected, err := format.RenderPreference(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		have := []any{prompt, chosen, rejected, p.ChosenSafe, p.RejectedSafe}
		want := []any{g.Prompt, g.Chosen, g.Rejected, g.ChosenSafe == 1, g.RejectedSafe == 1}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("row %d (-want +have):\n%s", i, diff)
		}
	}
}

// question returns a preference of one turn.
func question(prompt, chosen, rejected string) Preference {
	return Preference{
		ID:       "test#0",
		Prompt:   []chat.Message{{Role: "user", Content: prompt}},
		Chosen:   []chat.Message{{Role: "assistant", Content: chosen}},
		Rejected: []chat.Message{{Role: "assistant", Content: rejected}},
	}
}

// TestCleanPair checks that a clean pair decodes to the template's text, begins with one BOS and ends with one EOS, and
// that its prompt has the ids of a prompt for generation.
func TestCleanPair(t *testing.T) {
	format := goldenFormat(t, false)
	for _, answer := range []string{
		"Hello there", " leading space", "\nleading newline", "trailing space \n", "a</s>\n", "안녕", "<|assistant|>",
	} {
		p := question("Hi!", answer, "No.")
		pairs, drops, err := format.TokenizePreferences(context.Background(), []Preference{p})
		if err != nil || len(pairs) != 1 {
			t.Fatal(err, drops)
		}
		chosen := pairs[0].Chosen
		prompt := format.Tokenizer.Encode("<|user|>\nHi!</s>\n<|assistant|>\n", true)
		if !slices.Equal(chosen.IDs[:chosen.PromptLength], prompt) {
			t.Errorf("%q: prompt ids %v, for generation %v", answer, chosen.IDs[:chosen.PromptLength], prompt)
		}
		if n := len(chosen.IDs); chosen.IDs[n-1] != 2 || chosen.IDs[n-2] == 2 || slices.Contains(chosen.IDs[1:], 1) {
			t.Errorf("%q: BOS or EOS is missing or doubled: %v", answer, chosen.IDs)
		}
		text := format.Tokenizer.Decode(chosen.IDs[1:], false)
		want := "<|user|>\nHi!</s>\n<|assistant|>\n" + strings.TrimSuffix(answer, "</s>\n") + "</s>"
		// This tokenizer writes a space after a special token, which is not in the text.
		if strings.ReplaceAll(text, "</s> \n", "</s>\n") != want {
			t.Errorf("%q: decodes to %q, want %q", answer, text, want)
		}
	}
}

func TestCleanDrops(t *testing.T) {
	format := goldenFormat(t, false)
	format.MaxLength, format.MaxPromptLength = 40, 24
	long := strings.Repeat("word ", 60)
	rows := []Preference{
		question("Hi!", "Yes.", "No."),
		question("Hi!", "Yes.", "Yes."),
		question("Hi!", " ", "Yes."),
		question("Hi!", "Yes.", long),
		question(long, "Yes.", "No."),
		{PromptText: "Hi!", ChosenText: "</s>\n", RejectedText: "x"},
	}
	for i := range rows {
		rows[i].ID = fmt.Sprintf("set#%d", i)
	}
	pairs, drops, err := format.TokenizePreferences(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	want := Drops{
		Dropped: map[string][]string{DropIdentical: {"set#1"}, DropEmpty: {"set#2", "set#5"}, DropTooLong: {"set#3"}},
		Cut:     []string{"set#4"},
	}
	if diff := cmp.Diff(want, drops); diff != "" {
		t.Errorf("drops (-want +have):\n%s", diff)
	}
	if drops.Total() != 4 || len(pairs) != 2 {
		t.Fatalf("%d drops, %d pairs", drops.Total(), len(pairs))
	}
	cut := pairs[1].Chosen
	uncut := format.prependBOS(format.Tokenizer.Encode("<|user|>\n"+long+"</s>\n<|assistant|>\n", false))
	if cut.PromptLength != 24 || cut.IDs[0] != 1 || !slices.Equal(cut.IDs[1:24], uncut[len(uncut)-23:]) {
		t.Errorf("left cut: %v", cut)
	}
	format.TruncationSide = "right"
	if pairs, _, err = format.TokenizePreferences(context.Background(), rows[4:5]); err != nil {
		t.Fatal(err)
	}
	if cut := pairs[0].Chosen; cut.PromptLength != 24 || !slices.Equal(cut.IDs[:24], uncut[:24]) {
		t.Errorf("right cut: %v", cut)
	}
}

func TestTextFormatErrors(t *testing.T) {
	format := goldenFormat(t, false)
	tests := []struct {
		change func(*TextFormat)
		want   string
	}{
		{func(f *TextFormat) { f.Tokenizer = nil }, "no tokenizer"},
		{func(f *TextFormat) { f.MaxLength, f.MaxPromptLength = 10, 10 }, "leaves nothing"},
		{func(f *TextFormat) { f.TruncationSide = "top" }, "neither left nor right"},
		{func(f *TextFormat) { f.Original = true }, "must be set"},
		{func(f *TextFormat) { f.Template = nil }, "chat template"},
	}
	for _, test := range tests {
		f := format
		test.change(&f)
		_, _, err := f.TokenizePreferences(context.Background(), []Preference{question("a", "b", "c")})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("have %v, want %q", err, test.want)
		}
	}
}

// TestRoles checks that a message with a wrong role is blamed, and not the chat template.
func TestRoles(t *testing.T) {
	format := goldenFormat(t, false)
	strict, err := chat.NewTemplate("{% for m in messages %}{% if m.role not in ['user', 'assistant'] %}"+
		"{{ raise_exception('bad role') }}{% endif %}{{ m.content }}{% endfor %}", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		asked, answers string
		template       *chat.Template
		want           string
	}{
		{"user", "asistant", format.Template, `row test#0: the role "asistant" is unknown; the usual ones are system, user`},
		{"user", "user", format.Template, `the last message of an answer has the role "user"; want assistant`},
		{"usr", "assistant", strict, `the role "usr" is unknown; the usual ones are system, user, assistant and tool: `},
		{"tool", "assistant", strict, "bad role"},
	} {
		p := question("Hi!", "Yes.", "No.")
		p.Prompt[0].Role, p.Chosen[0].Role = test.asked, test.answers
		format.Template = test.template
		_, _, err := format.TokenizePreferences(context.Background(), []Preference{p})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: have %v, want %q", test.asked, test.answers, err, test.want)
		}
	}
}

// TestRepeatedQuestion checks the message about answers that begin with the question, beside a prompt that has it too.
func TestRepeatedQuestion(t *testing.T) {
	p := question("Hi!", "Yes.", "No.")
	p.Chosen = append(slices.Clone(p.Prompt), p.Chosen...)
	_, _, err := goldenFormat(t, false).TokenizePreferences(t.Context(), []Preference{p})
	if err == nil || !strings.Contains(err.Error(), `row test#0: an answer begins with a message of the role "user"`) {
		t.Error(err)
	}
}

// mistralTokenizer reads the tokenizer of the recorded runs.
func mistralTokenizer(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	tokenizer, err := tokenizer.New(fixture.FolderReader(fixture.Mistral(t)))
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}
