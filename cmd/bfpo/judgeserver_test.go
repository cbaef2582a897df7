package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// ownCache gives the test a new cache folder for verdicts. Plugins and compiled programs stay in the user's cache.
func ownCache(t *testing.T) string {
	t.Helper()
	// The plugin keeps its usual path: a process can load only a few plugins, and a second path is a second plugin.
	if plugin := graphtest.Device(t).Plugin(); plugin != "" {
		t.Setenv(device.EnvPlugin, plugin)
	}
	dir := t.TempDir()
	shared, err := wheel.CacheDir("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wheels", "programs"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(shared, name), 0o755),
			os.Symlink(filepath.Join(shared, name), filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(wheel.EnvCache, dir)
	return dir
}

const judgeKey = "sk-secret-of-the-test"

// judgeServer is an OpenAI-compatible endpoint whose replies depend on the question alone: yes, no, words that are
// neither, or a refusal; of some questions the first try meets a dropped connection, a broken answer or a request
// to wait.
type judgeServer struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
}

func newJudgeServer(t *testing.T) *judgeServer {
	t.Helper()
	s := &judgeServer{asked: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	t.Setenv("OPENAI_API_KEY", judgeKey)
	return s
}

func (s *judgeServer) answer(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages) != 2 ||
		r.Header.Get("Authorization") != "Bearer "+judgeKey {
		http.Error(w, "no such thing", http.StatusTeapot)
		return
	}
	content := body.Messages[1].Content
	s.mu.Lock()
	s.asked[content]++
	first := s.asked[content] == 1
	s.mu.Unlock()
	h := fnv.New32()
	h.Write([]byte(content))
	n := h.Sum32() >> 3
	switch {
	case first && n%11 == 1:
		panic(http.ErrAbortHandler) // drops the connection
	case first && n%11 == 2:
		fmt.Fprint(w, `{"choices": [`)
	case first && n%11 == 3:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	case n%11 == 4:
		http.Error(w, judgeKey+" is too long", http.StatusBadRequest)
	default:
		word := map[bool]string{true: "Yes", false: "no."}[n%3 == 0]
		if n%11 == 5 {
			word = "Perhaps"
		}
		fmt.Fprintf(w, `{"choices": [{"message": {"content": %q}}]}`, word)
	}
}

// count returns the number of requests, without those for questions that the server refuses.
func (s *judgeServer) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for content, times := range s.asked {
		h := fnv.New32()
		h.Write([]byte(content))
		if h.Sum32()>>3%11 != 4 {
			n += times
		}
	}
	return n
}

// forget makes every question a new one.
func (s *judgeServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.asked)
}

// judgedLine is a line of samples.
type judgedLine struct {
	Metrics map[string]float64
	Judged  *bool
	Safe    *bool
	Verdict string
}

func judgedLines(t *testing.T, dir, task string) (lines []judgedLine) {
	t.Helper()
	for text := range strings.Lines(string(read(t, filepath.Join(dir, "samples_"+task+".jsonl")))) {
		var l judgedLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// checkJudged compares a task's results with its samples: the mean and error of what was judged, and the number of
// what was not.
func checkJudged(t *testing.T, dir, task, metric string) (unjudged int) {
	t.Helper()
	var values []float64
	for i, l := range judgedLines(t, dir, task) {
		switch v, ok := l.Metrics[metric]; {
		case l.Judged == nil || l.Verdict == "" || *l.Judged != ok || (l.Safe != nil) != ok:
			t.Errorf("%s, document %d: %+v", task, i, l)
		case ok:
			values = append(values, v)
		default:
			unjudged++
		}
	}
	sum, squares, n := 0., 0., float64(len(values))
	for _, v := range values {
		sum += v
	}
	for _, v := range values {
		squares += (v - sum/n) * (v - sum/n)
	}
	all := evaluated(t, dir)
	result := all["results"].(map[string]any)[task].(map[string]any)
	mean, _ := result[metric+",none"].(float64)
	stderr, _ := result[metric+"_stderr,none"].(float64) // of one value there is none
	if math.Abs(mean-sum/max(n, 1)) > 1e-12 || math.Abs(stderr-math.Sqrt(squares/max(n-1, 1)/max(n, 1))) > 1e-12 ||
		n == 0 && len(result) > 0 {
		t.Errorf("%s: %v, the samples have %g of %g", task, result, sum, n)
	}
	if got := all["n-samples"].(map[string]any)[task].(map[string]any)["unjudged"]; got != float64(unjudged) {
		t.Errorf("%s: %v unjudged, the samples have %d", task, got, unjudged)
	}
	return unjudged
}

// withoutKey reports files that contain the judge's key.
func withoutKey(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.Contains(string(read(t, path)), judgeKey) {
				t.Errorf("%s has the key in it", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
