package datasets

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

func parseRow(t testing.TB, text string) row {
	t.Helper()
	out, err := rowfile.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPreferenceSchemas(t *testing.T) {
	answered := func(chosen, rejected string, chosenSafe, rejectedSafe bool, unlabelled int) Preference {
		p := question("q", chosen, rejected)
		p.ID, p.ChosenSafe, p.RejectedSafe = "", chosenSafe, rejectedSafe
		p.Unlabelled = unlabelled
		return p
	}
	tests := []struct {
		row  string
		want Preference
	}{
		{`{"prompt": "q", "response_0": "a", "response_1": "b", "is_response_0_safe": true, "is_response_1_safe": false,
		   "better_response_id": 1, "safer_response_id": 0}`,
			answered("b", "a", false, true, 0)},
		{`{"prompt": "q", "response_0": "a", "response_1": "b", "better_response_id": 0}`,
			answered("a", "b", true, true, 2)},
		{`{"prompt": "q", "modeloutput1": "a", "modeloutput2": "b", "better_modelout": "2", "is_modelout1_safe": false,
		   "is_modelout2_safe": true}`,
			answered("b", "a", true, false, 0)},
		{`{"prompt": "q", "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
		   "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}], "score_chosen": 8.5}`,
			answered("a", "b", true, true, 2)},
		{`{"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "a"}],
		   "rejected": [{"role": "assistant", "content": "b"}], "is_chosen_safe": 0, "is_rejected_safe": null}`,
			answered("a", "b", false, true, 1)},
		{`{"prompt": "q", "chosen": "a", "rejected": "b", "is_rejected_safe": false}`,
			Preference{PromptText: "q", ChosenText: "a", RejectedText: "b", ChosenSafe: true, Unlabelled: 1}},
	}
	for _, test := range tests {
		have, err := readExample(preferenceSchemas(), parseRow(t, test.row))
		if diff := cmp.Diff(test.want, have); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +have):\n%s", test.row, err, diff)
		}
	}
}

func TestPreferenceErrors(t *testing.T) {
	tests := []struct{ row, want string }{
		{`{"chosen": "a"}`, "it has no column rejected, only {chosen}"},
		{`{"prompt": "q", "chosen": "a", "reject": "b"}`,
			"it has no column rejected, only {chosen, prompt, reject}; rename reject to rejected"},
		{`{"question": "a"}`,
			"fit no known layout: PKU-SafeRLHF {prompt, response_0, response_1, better_response_id}; red-teaming"},
		{`{"prompt": "q", "response_0": "a", "response_1": "b", "better_response_id": 2}`,
			"column better_response_id: want 0 or 1, have 2"},
		{`{"prompt": "q", "response_0": "a", "response_1": null, "better_response_id": 0}`,
			"column response_1: want text, have null"},
		{`{"prompt": "q", "response_0": "a", "response_1": "b", "better_response_id": 0, "is_response_0_safe": "yes"}`,
			`column is_response_0_safe: want true, false, 1, 0, safe or unsafe, have "yes"`},
		{`{"prompt": "q", "modeloutput1": "a", "modeloutput2": "b", "better_modelout": 0}`, "want 1 or 2, have 0"},
		{`{"prompt": "q", "chosen": [{"role": "assistant", "content": "a"}],
		   "rejected": [{"role": "assistant", "content": "b"}]}`, "prompt is text, and chosen a list of messages"},
		{`{"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
		   "rejected": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "b"}]}`,
			DropNoCommon},
		{`{"prompt": [], "chosen": [], "rejected": []}`, DropNoPrompt},
		{`{"prompt": [{"role": "user"}], "chosen": [], "rejected": []}`,
			"message 0: content is null or missing; want {role: text, content: text}, have {role}"},
		{`{"prompt": "q", "chosen": "a", "rejected": 3}`, "column rejected: want text, have 3"},
	}
	for _, test := range tests {
		_, err := readExample(preferenceSchemas(), parseRow(t, test.row))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.row, err, test.want)
		}
	}
}

func TestDialogueSchemas(t *testing.T) {
	tests := []struct {
		row  string
		want Dialogue
	}{
		{`{"prompt": "q", "response_0": "a", "response_1": "b", "safer_response_id": 1, "better_response_id": 0}`,
			Dialogue{Messages: []chat.Message{{Role: "user", Content: "q"}, {Role: "assistant", Content: "b"}}}},
		{`{"prompt": "q", "prompt_id": "x", "messages": [{"role": "user", "content": "q"}]}`,
			Dialogue{Messages: []chat.Message{{Role: "user", Content: "q"}}}},
		{`{"text": "t"}`, Dialogue{Text: "t"}},
		{`{"input_ids": [1, 2.0, 3], "text": "t"}`, Dialogue{InputIDs: []int32{1, 2, 3}}},
	}
	for _, test := range tests {
		have, err := readExample(dialogueSchemas(""), parseRow(t, test.row))
		if diff := cmp.Diff(test.want, have); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +have):\n%s", test.row, err, diff)
		}
	}
	for _, bad := range []string{
		`{"input_ids": [1, -2]}`, `{"input_ids": "1 2"}`, `{"messages": {}}`, `{"input_ids": [1.5]}`,
	} {
		_, err := readExample(dialogueSchemas(""), parseRow(t, bad))
		if err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}

// TestParquetLists reads lists of both parquet layouts: today's, and the older {list: [{item: …}, …]}.
func TestParquetLists(t *testing.T) {
	type message struct {
		Role    string `parquet:"role"`
		Content string `parquet:"content"`
	}
	type today struct {
		Messages []message `parquet:"messages,list"`
		IDs      []int32   `parquet:"ids,list"`
	}
	type item struct {
		Item message `parquet:"item"`
	}
	type older struct {
		Messages struct {
			List []item `parquet:"list"`
		} `parquet:"messages"`
	}
	old := older{}
	old.Messages.List = []item{{message{"user", "q"}}}
	now := today{[]message{{"user", "q"}}, []int32{1, 2}}
	for _, content := range []string{parquetFile(t, now), parquetFile(t, old)} {
		dir := writeFiles(t, map[string]string{"a.parquet": content})
		source, err := OpenSource(t.Context(), "a.parquet", "train", dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = source.rows(nil, func(_ place, r row, _ error) error {
			messages, err := r.messages("messages")
			if diff := cmp.Diff([]chat.Message{{Role: "user", Content: "q"}}, messages); diff != "" {
				t.Errorf("messages (-want +have):\n%s", diff)
			}
			if err == nil && r.has("ids") {
				var ids []int32
				ids, err = r.ids("ids")
				if diff := cmp.Diff([]int32{1, 2}, ids); diff != "" {
					t.Errorf("ids (-want +have):\n%s", diff)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestIntegerOfFloat32(t *testing.T) { // a label in a float32 column of a parquet file
	if n, ok := integer(float32(1)); n != 1 || !ok {
		t.Errorf("1 is %d, %t", n, ok)
	}
	if _, ok := integer(float32(0.5)); ok {
		t.Error("0.5 is taken for a whole number")
	}
}
