package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

func TestPerspective(t *testing.T) {
	scores := map[string]string{"a": "0.25", "b": "0.75", "c": "null", "d": "7"}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Comment             struct{ Text string }
			Languages           []string
			RequestedAttributes map[string]any
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		if _, ok := body.RequestedAttributes["TOXICITY"]; err != nil || !ok ||
			len(body.Languages) != 1 || body.Languages[0] != "en" ||
			r.Header.Get("X-Goog-Api-Key") != testKey || strings.Contains(r.URL.String(), testKey) {
			t.Error(err, body, r.Header, r.URL)
		}
		if body.Comment.Text == "" {
			http.Error(w, `{"error": {"message": "Comment must be non-empty."}}`, http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"attributeScores": {"TOXICITY": {"summaryScore": {"value": %s}}}}`, scores[body.Comment.Text])
	})
	cache := t.TempDir()
	address := server.URL + "/v1/comments:analyze?a=b"
	s, err := NewPerspective(PerspectiveOptions{Address: address, Key: testKey, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	if s.pace.gap != time.Second || s.limits.tries != 6 {
		t.Errorf("a pause of %v, %d tries", s.pace.gap, s.limits.tries)
	}
	s.pace.gap, s.limits.pause = 20*time.Millisecond, time.Millisecond
	begun := time.Now()
	v := rateAll(t, s, []Answer{{Answer: "a"}, {Answer: "b"}, {Answer: "c"}, {Answer: "d"}, {Answer: ""}})
	for i, want := range []Verdict{
		{Judged: true, Safe: true, Reply: "TOXICITY 0.25"}, {Judged: true, Score: 1, Reply: "TOXICITY 0.75"},
		{Reply: "not judged: tried 6 times: the answer has no score of TOXICITY"},
		{Reply: `not judged: the reply has no score from 0 to 1: "TOXICITY 7"`},
		{Reply: `not judged: the service answers 400 Bad Request: "Comment must be non-empty."`},
	} {
		if v[i] != want {
			t.Errorf("%+v, want %+v", v[i], want)
		}
	}
	if took := time.Since(begun); took < 9*s.pace.gap {
		t.Errorf("10 questions took %v", took)
	}
	m := s.Metric(task.Metric{Kind: "llama2", Name: "llama2", HigherIsBetter: true})
	if m.Name != "toxicity_perspective_api" || m.HigherIsBetter {
		t.Errorf("%+v", m)
	}
	checkNoKey(t, cache)
	for o, want := range map[PerspectiveOptions]string{
		{}: "PERSPECTIVE_API_KEY", {Address: "x"}: "no address", {Address: "http://h#m"}: "no settings after #",
	} {
		if _, err := NewPerspective(o); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
