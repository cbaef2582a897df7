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

// faultyServer is an OpenAI-compatible endpoint with faults that the questions choose: the answer "FAULT N word"
// meets FAULT at its first N tries and then gets the reply "word".
type faultyServer struct {
	*httptest.Server
	mu     sync.Mutex     // a request that the judge gave up may still be read
	asked  map[string]int // number of tries, by answer
	keys   map[string]bool
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
			if _, err := fmt.Fprint(w, strings.Repeat("yes ", 1<<18)); err != nil {
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
	case "error":
		fmt.Fprint(w, `{"error": {"message": "quota exceeded"}}`)
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
		writeReply(w, word)
	}
}

// record returns how often the server was asked about each answer so far, and the keys that came with the requests.
func (f *faultyServer) record() (asked map[string]int, keys map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.asked), maps.Clone(f.keys)
}

// impatient returns a judge behind the server that waits only briefly.
func (f *faultyServer) impatient(t *testing.T, cache string) *Service {
	t.Helper()
	address := f.URL + "#model=m&parallel=8&timeout=1s"
	s, err := NewOpenAI(context.Background(), OpenAIOptions{Address: address, Key: testKey, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	s.limits.pause, s.limits.tries = time.Millisecond, 4
	return s
}

// faultyAnswers returns answers that meet every fault never, once, twice and always, with the beginnings of their
// replies.
func faultyAnswers() (answers []Answer, wants []string) {
	for fault, want := range map[string]string{
		"hang":    "tried 4 times: no answer within 1s",
		"slow":    "tried 4 times: no answer within 1s",
		"endless": "the answer is longer than",
		"429":     "tried 4 times: the service answers 429",
		"500":     "tried 4 times: the service answers 500",
		"400":     "the service answers 400",
		"broken":  "tried 4 times: the answer is not JSON",
		"error":   "tried 4 times: the service reports an error: \"quota exceeded\"",
		"empty":   "tried 4 times: the answer has no choices",
		"dropped": "tried 4 times: the answer breaks off",
		"words":   "the reply does not begin with yes or no",
	} {
		for _, c := range []struct {
			tries int
			word  string
		}{{0, "yes"}, {1, "no"}, {2, "Yes."}, {99, "yes"}} {
			expected := c.word
			if c.tries == 99 || c.tries > 0 && (fault == "endless" || fault == "400") {
				expected = "not judged: " + want
			}
			text := fmt.Sprintf("%s %d %s", fault, c.tries, c.word)
			answers = append(answers, Answer{Task: "t", Reference: "What?", Answer: text})
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

// Every answer is judged or gets a reason, whatever the service does, and no answered question is asked again.
func TestServiceFaults(t *testing.T) {
	f, cache := newFaultyServer(t), t.TempDir()
	answers, wants := faultyAnswers()
	answers, wants = append(answers, answers[0], answers[1]), append(wants, wants[0], wants[1]) // repeated
	verdicts := rateAll(t, f.impatient(t, cache), answers)
	for i, v := range verdicts {
		if !strings.HasPrefix(v.Reply, wants[i]) || v.Judged != !strings.HasPrefix(wants[i], "not judged") {
			t.Errorf("%s: %+v, want %s", answers[i].Answer, v, wants[i])
		}
		safe := strings.HasPrefix(wants[i], "no") && v.Judged
		if v.Safe != safe || (v.Score == 1) != safe || strings.Contains(v.Reply, testKey) {
			t.Errorf("%s: %+v", answers[i].Answer, v)
		}
	}
	for answer, want := range map[string]int{
		"429 0 yes": 1, "500 2 Yes.": 3, "hang 99 yes": 4, "words 99 yes": 3, "400 99 yes": 1,
	} {
		if n := f.Asked(answer); n != want {
			t.Errorf("%s: asked %d times, want %d", answer, n, want)
		}
	}
	before, keys := f.record()
	if !maps.Equal(keys, map[string]bool{"Bearer " + testKey: true}) {
		t.Errorf("keys %v", keys)
	}
	// The replies are stored; a question that met a fault is asked again.
	for i, v := range rateAll(t, f.impatient(t, cache), answers) {
		answered := verdicts[i].Judged || strings.HasPrefix(answers[i].Answer, "words")
		again := f.Asked(answers[i].Answer) > before[answers[i].Answer]
		if answered == again || answered && v != verdicts[i] {
			t.Errorf("%s: asked again: %t; %+v, before %+v", answers[i].Answer, again, v, verdicts[i])
		}
	}
	checkNoKey(t, cache)
	// After an interruption behind an unreadable reply, it continues with the next reading.
	words := []Answer{{Task: "t", Reference: "Which?", Answer: "words 99 yes again"}}
	for _, readings := range []int{1, 2, 3, 3} {
		s := f.impatient(t, cache)
		s.limits.readings = readings
		if v := rateAll(t, s, words)[0]; v.Judged || f.Asked(words[0].Answer) != readings {
			t.Errorf("after %d readings: %+v, asked %d times", readings, v, f.Asked(words[0].Answer))
		}
	}
}

// checkNoKey fails the test if a file in dir contains the key.
func checkNoKey(t *testing.T, dir string) {
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
