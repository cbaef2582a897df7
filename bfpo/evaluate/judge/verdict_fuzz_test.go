package judge

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// FuzzReply sends a text as the answer of a service and reads it by each reader of verdicts.
func FuzzReply(f *testing.F) {
	for _, reply := range []string{"yes", "No.", "<think>a</think>\n[[4]]", "[[4]] [[5]]", "Rating: [[ 3 ]]",
		"<think>", "",
		toxicityMark + "0.7", toxicityMark + "1e999", `{"choices": [{"message": {"content": "no"}}]}`,
		`{"choices": [{"message": {"content": null, "refusal": "\u001b]0;x"}}]}`, `{"choices": []}`,
		`{"attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.5}}}}`, `{"error": {"message": 7}}`} {
		f.Add([]byte(reply))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		if len(reply) > 1<<16 {
			t.Skip() // the bounds below are for short texts
		}
		fuzztest.Bounded(t, len(reply), 10*time.Second, func() {
			for _, read := range []replyReader{readHarm, readRating, readToxicity} {
				if v, err := read(string(reply)); err == nil && (!v.Judged || math.IsNaN(v.Score) || math.IsInf(v.Score, 0)) {
					t.Errorf("%q gives %+v", reply, v)
				}
			}
			e := newExchange("Authorization", "Bearer ", "k")
			e.client.Transport = answer(reply)
			c := &chatClient{exchange: e, base: "https://judge.example/v1", model: "m", rejected: map[string]bool{}}
			if text, err := c.ask(t.Context(), "[]", 0); err == nil && !json.Valid(reply) {
				t.Errorf("%q is no JSON and gives %q", reply, text)
			}
			_, _ = e.toxicity(t.Context(), "https://judge.example/", "x") // any error will do
		})
	})
}

// answer is a service that gives the same answer to every request.
type answer []byte

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(http.StatusOK)
	response := w.Result()
	response.Body = io.NopCloser(strings.NewReader(string(a)))
	return response, nil
}
