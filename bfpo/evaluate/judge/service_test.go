package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const testKey = "sk-secret-of-the-test"

// faultyServer is an OpenAI-compatible endpoint whose faults stand in the questions: the answer to be rated is
// "FAULT N word", which meets FAULT at its first N tries and then the reply "word".
type faultyServer struct {
	*httptest.Server
	mu     sync.Mutex
	asked  map[string]int // tries of an answer
	keys   map[string]bool
	bodies []map[string]any
	closed chan struct{}
}

func newFaultyServer(t *testing.T) *faultyServer {
	f := &faultyServer{asked: map[string]int{}, keys: map[string]bool{}, closed: make(chan struct{})}
	f.Server = httptest.NewServer(http.HandlerFunc(f.answer))
	t.Cleanup(func() { close(f.closed); f.Close() })
	return f
}

func (f *faultyServer) answer(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	text, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || json.Unmarshal(text, &body) != nil {
		http.Error(w, "no such thing", http.StatusTeapot)
		return
	}
	messages := body["messages"].([]any)
	_, content, _ := strings.Cut(messages[len(messages)-1].(map[string]any)["content"].(string), "[GENERATION]:\n")
	content, _, _ = strings.Cut(content, "\n\n---")
	var fault, word string
	var tries int
	fmt.Sscan(content, &fault, &tries, &word)
	f.mu.Lock()
	f.asked[content]++
	n := f.asked[content]
	f.keys[r.Header.Get("Authorization")] = true
	f.bodies = append(f.bodies, body)
	f.mu.Unlock()
	if n > tries {
		fault = "none"
	}
	f.reply(w, r, fault, word)
}

func (f *faultyServer) reply(w http.ResponseWriter, r *http.Request, fault, word string) {
	switch fault {
	case "hang":
		select {
		case <-r.Context().Done():
		case <-f.closed:
		}
	case "slow": // an answer that never comes to its end, byte by byte
		for r.Context().Err() == nil {
			fmt.Fprint(w, " ")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	case "endless":
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat("yes ", 1<<14)); err != nil {
				return
			}
		}
	case "429":
		w.Header().Set("Retry-After", "0")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case "500":
		http.Error(w, `{"error": {"message": "out of memory, `+testKey+`"}}`, http.StatusInternalServerError)
	case "400":
		http.Error(w, `{"error": {"message": "the prompt is too long"}}`, http.StatusBadRequest)
	case "broken":
		fmt.Fprint(w, `{"choices": [{"mess`)
	case "empty":
		fmt.Fprint(w, `{"choices": []}`)
	case "dropped":
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"choices"`)
		w.(http.Flusher).Flush()
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	case "words":
		word = "I would rather not say."
		fallthrough
	default:
		json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": word}}}})
	}
}

// impatient is a judge of that server which waits little.
func (f *faultyServer) impatient(t *testing.T, cache string) *Service {
	t.Helper()
	s, err := NewOpenAI(context.Background(), OpenAIOptions{Address: f.URL + "#model=m&parallel=8&timeout=300ms", Key: testKey, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	s.limits.pause, s.limits.tries = time.Millisecond, 4
	return s
}

// faultyAnswers meet every fault once or twice, and for ever, among answers that meet none. wants are the
// beginnings of the replies.
func faultyAnswers() (answers []Answer, wants []string) {
	for fault, want := range map[string]string{
		"hang": "tried 4 times: no answer within 300ms", "slow": "tried 4 times: no answer within 300ms", "endless": "the answer is longer than",
		"429": "tried 4 times: the service answers 429", "500": "tried 4 times: the service answers 500", "400": "the service answers 400",
		"broken": "tried 4 times: the answer is not JSON", "empty": "tried 4 times: the answer has no choices",
		"dropped": "tried 4 times: the answer breaks off", "words": "the reply does not begin with yes or no",
	} {
		for _, c := range []struct {
			tries int
			word  string
		}{{0, "yes"}, {1, "no"}, {2, "Yes."}, {99, "yes"}} {
			expected := c.word
			if c.tries == 99 || c.tries > 0 && (fault == "endless" || fault == "400") {
				expected = "not judged: " + want
			}
			answers = append(answers, Answer{Task: "t", Reference: "What?", Answer: fmt.Sprintf("%s %d %s", fault, c.tries, c.word)})
			wants = append(wants, expected)
		}
	}
	return answers, wants
}

func rateAll(t *testing.T, s *Service, answers []Answer) []Verdict {
	t.Helper()
	verdicts := make([]Verdict, len(answers))
	seen := map[int]bool{}
	err := s.Rate(context.Background(), answers, func(first int, some ...Verdict) error {
		for i, v := range some {
			if seen[first+i] {
				t.Errorf("answer %d is reported twice", first+i)
			}
			seen[first+i], verdicts[first+i] = true, v
		}
		return nil
	})
	if err != nil || len(seen) != len(answers) {
		t.Fatalf("%d of %d answers are reported, error %v", len(seen), len(answers), err)
	}
	return verdicts
}

// Every answer ends judged or reported, whatever the service does, and what it has said is not asked again.
func TestServiceFaults(t *testing.T) {
	f, cache := newFaultyServer(t), t.TempDir()
	answers, wants := faultyAnswers()
	answers, wants = append(answers, answers[0], answers[1]), append(wants, wants[0], wants[1]) // the same again
	verdicts := rateAll(t, f.impatient(t, cache), answers)
	for i, v := range verdicts {
		if !strings.HasPrefix(v.Reply, wants[i]) || v.Judged != !strings.HasPrefix(wants[i], "not judged") {
			t.Errorf("%s: %+v, want %s", answers[i].Answer, v, wants[i])
		}
		if safe := strings.HasPrefix(wants[i], "no") && v.Judged; v.Safe != safe || (v.Score == 1) != safe || strings.Contains(v.Reply, testKey) {
			t.Errorf("%s: %+v", answers[i].Answer, v)
		}
	}
	if f.asked["429 0 yes"] != 1 || f.asked["500 2 Yes."] != 3 || f.asked["hang 99 yes"] != 4 || f.asked["words 99 yes"] != 3 || f.asked["400 99 yes"] != 1 {
		t.Errorf("asked %v", f.asked)
	}
	if !maps.Equal(f.keys, map[string]bool{"Bearer " + testKey: true}) {
		t.Errorf("keys %v", f.keys)
	}
	// What it answered is known; what met a fault is worth another try.
	before := maps.Clone(f.asked)
	for i, v := range rateAll(t, f.impatient(t, cache), answers) {
		answered := verdicts[i].Judged || strings.HasPrefix(answers[i].Answer, "words")
		if again := f.asked[answers[i].Answer] > before[answers[i].Answer]; answered == again || answered && v != verdicts[i] {
			t.Errorf("%s: asked again: %t; %+v, before %+v", answers[i].Answer, again, v, verdicts[i])
		}
	}
	noKeyIn(t, cache)
	// Stopped behind a reply that cannot be read, it goes on with the next reading.
	words := []Answer{{Task: "t", Reference: "Which?", Answer: "words 99 yes again"}}
	for _, readings := range []int{1, 2, 3, 3} {
		s := f.impatient(t, cache)
		s.limits.readings = readings
		if v := rateAll(t, s, words)[0]; v.Judged || f.asked[words[0].Answer] != readings {
			t.Errorf("after %d readings: %+v, asked %d times", readings, v, f.asked[words[0].Answer])
		}
	}
}

// noKeyIn reports a file with the key in it.
func noKeyIn(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), testKey) {
			t.Errorf("%s has the key in it", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}
