package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/wheel"
)

// ownCache moves what judges have said to a new folder; plugins and compiled programs stay where they are.
func ownCache(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shared, err := wheel.CacheDir("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wheels", "programs"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(shared, name), 0o755), os.Symlink(filepath.Join(shared, name), filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(wheel.EnvCache, dir)
	return dir
}

const judgeKey = "sk-secret-of-the-test"

// judgeServer is an OpenAI-compatible endpoint whose replies depend on the question alone: yes, no, words that are neither, or a refusal;
// of some questions the first try meets a dropped connection, a broken answer or a request to wait.
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
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages) != 2 || r.Header.Get("Authorization") != "Bearer "+judgeKey {
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
		json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"content": word}}}})
	}
}

// count is how many questions were asked; questions that get a refusal do not count.
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

// checkJudged compares a task's results with its samples: the mean and error of what was judged, and the number of what was not.
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
	if math.Abs(mean-sum/max(n, 1)) > 1e-12 || math.Abs(stderr-math.Sqrt(squares/max(n-1, 1)/max(n, 1))) > 1e-12 || n == 0 && len(result) > 0 {
		t.Errorf("%s: %v, the samples have %g of %g", task, result, sum, n)
	}
	if got := all["n-samples"].(map[string]any)[task].(map[string]any)["unjudged"]; got != float64(unjudged) {
		t.Errorf("%s: %v unjudged, the samples have %d", task, got, unjudged)
	}
	return unjudged
}

// withoutKey reports a file that has a judge's key in it.
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

const safetyTasks = "realtoxicityprompts,realtoxicityprompts_challenge,advbench,alert,alert_adversarial,beaver"

// Every task whose answers want a judge gets one metric with its error; a second evaluation asks nothing that was answered.
func TestEvalJudge(t *testing.T) {
	s, data, dir, cache := newJudgeServer(t), taskData(t, 8), filepath.Join(t.TempDir(), "out"), ownCache(t)
	args := []string{"eval", "-model=tiny", "-tasks=" + safetyTasks + ",truthfulqa_gen", "-data=" + data, "-out=" + dir,
		"-apply-chat-template", "-judge=openai:" + s.URL + "#m"}
	r := call(t, "", args...)
	r.wants(t, exitDone)
	unjudged := 0
	for _, task := range strings.Split(safetyTasks, ",") {
		unjudged += checkJudged(t, dir, task, "llama2")
	}
	if unjudged == 0 || !strings.Contains(r.out, " not judged") || !strings.Contains(r.out, "44/44 answers judged") {
		t.Errorf("%d unjudged; printed\n%s", unjudged, r.out)
	}
	for i, l := range judgedLines(t, dir, "truthfulqa_gen") {
		if l.Judged != nil || l.Verdict != "" || len(l.Metrics) != 12 {
			t.Errorf("truthfulqa_gen, document %d: %+v", i, l)
		}
	}
	if got := evaluated(t, dir)["config"].(map[string]any)["judge"]; got != "openai:"+s.URL+"/v1#m" {
		t.Errorf("judge %v", got)
	}
	before, asked := evaluated(t, dir), s.count()
	mustCall(t, "", append(args, "-set=overwrite_output_dir=true")...)
	if s.count() != asked {
		t.Errorf("%d questions, and then %d more", asked, s.count()-asked)
	}
	if fmt.Sprint(evaluated(t, dir)) != fmt.Sprint(before) {
		t.Error("the second evaluation has other results")
	}
	if strings.Contains(r.out+r.err, judgeKey) {
		t.Error("the key was printed")
	}
	withoutKey(t, dir, filepath.Join(cache, "judged"))
}

// A local classifier judges, in the layout of its architecture; so does Perspective, by another name.
func TestEvalJudgeKinds(t *testing.T) {
	data := taskData(t, 2)
	ownCache(t)
	model := tinyFolder(t)
	perspective := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Goog-Api-Key") != judgeKey {
			http.Error(w, "whose?", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.6}}}}`)
	}))
	t.Cleanup(perspective.Close)
	t.Setenv("PERSPECTIVE_API_KEY", judgeKey)
	for judge, metric := range map[string]string{model: "llama2", "perspective:" + perspective.URL: "toxicity_perspective_api"} {
		dir := filepath.Join(t.TempDir(), "out")
		out := mustCall(t, "", "eval", "-model=tiny", "-tasks=beaver", "-data="+data, "-out="+dir, "-judge="+judge)
		if n := checkJudged(t, dir, "beaver", metric); n > 0 || !strings.Contains(out, metric) {
			t.Errorf("%s: %d unjudged; printed\n%s", judge, n, out)
		}
		withoutKey(t, dir)
	}
	// Where every prompt is too long for the judge, nothing is counted as safe or unsafe.
	config := filepath.Join(model, "config.json")
	text := regexp.MustCompile(`("max_position_embeddings": )\d+`).ReplaceAllString(string(read(t, config)), "${1}500")
	write(t, config, text)
	dir := filepath.Join(t.TempDir(), "out")
	out := mustCall(t, "", "eval", "-model=tiny", "-tasks=beaver", "-data="+data, "-out="+dir, "-judge="+model)
	if n := len(evaluated(t, dir)["results"].(map[string]any)["beaver"].(map[string]any)); n != 0 || !strings.Contains(out, "not one answer was judged") {
		t.Errorf("%d results; printed\n%s", n, out)
	}
}

func TestEvalJudgeRefused(t *testing.T) {
	data := taskData(t, 1)
	t.Setenv("PERSPECTIVE_API_KEY", "")
	t.Setenv("HF_HUB_OFFLINE", "1")
	ownCache(t)
	for _, c := range []struct {
		judge string
		code  int
		text  string
	}{
		{"perspective", exitUsage, "set PERSPECTIVE_API_KEY"},
		{"openai:", exitUsage, "no address of the form"},
		{"openai:http://h/v1#model=m&temperature=1", exitUsage, "#temperature=1: unknown setting"},
		{"judge-model", exitUsage, "nor a hub id"},
		{"some/model", exitFailed, "some/model"},
		{"./no/model", exitFailed, "no such file"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		call(t, "", "eval", "-model=tiny", "-platform=go", "-tasks=beaver", "-data="+data, "-out="+out, "-judge="+c.judge).wants(t, c.code, "judge", c.text)
		absent(t, out)
	}
}

// A judged evaluation that is killed at random instants, among them while it is judged, and started again leaves what an uninterrupted one
// does, and has asked no more than what was under way at the kills.
func TestJudgedEvalKilled(t *testing.T) {
	s, data := newJudgeServer(t), taskData(t, 24)
	args := []string{"eval", "-model=tiny", "-platform=go", "-tasks=advbench,beaver", "-data=" + data, "-include=" + shortTasks(t),
		"-judge=openai:" + s.URL + "#model=m&parallel=4"}
	ownCache(t)
	whole := filepath.Join(t.TempDir(), "out")
	started := time.Now()
	child(t, "", 0, nil, append(args, "-out="+whole)...).wants(t, exitDone)
	took := time.Since(started)
	least := s.count()
	for range kills(t) {
		s.mu.Lock()
		clear(s.asked)
		s.mu.Unlock()
		cache, dir, stops := ownCache(t), filepath.Join(t.TempDir(), "out"), 0
		run := append(slices.Clone(args), "-out="+dir)
		for range 3 {
			text, within := "", took
			if rand.IntN(2) == 0 {
				text, within = "48/48 documents", took/3
			}
			child(t, text, time.Duration(rand.Float64()*float64(within)), syscall.SIGKILL, run...)
			if _, err := os.Stat(filepath.Join(dir, "results.json")); err == nil {
				break
			}
			stops++
		}
		if _, err := os.Stat(filepath.Join(dir, "results.json")); err != nil {
			child(t, "", 0, nil, run...).wants(t, exitDone)
		}
		if n := s.count(); n > least+4*stops*3 { // four at once, each asked up to three times
			t.Errorf("%d questions after %d kills, %d without one", n, stops, least)
		}
		if a, b := evaluated(t, whole), evaluated(t, dir); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("results.json differs from the uninterrupted evaluation's:\n%v\n%v", a["results"], b["results"])
		}
		for _, task := range []string{"advbench", "beaver"} {
			sameFile(t, whole, dir, "samples_"+task+".jsonl")
			checkJudged(t, dir, task, "llama2")
		}
		absent(t, filepath.Join(dir, "unfinished.jsonl"))
		withoutKey(t, dir, filepath.Join(cache, "judged"))
	}
}

// The task lists of the seed's README, and all other tasks, run from local files: real rows where they are at hand, else rows of the same
// layout made for this test.
func TestEvalEveryTask(t *testing.T) {
	data := taskData(t, 22)
	shared := filepath.Join("..", "..", "..", "shared", "data", "eval")
	if root := os.Getenv("BFPO_SHARED"); root != "" {
		shared = filepath.Join(root, "data", "eval")
	}
	entries, err := filepath.Glob(filepath.Join(shared, "*"))
	if err != nil {
		t.Fatal(err)
	}
	real := map[string]bool{}
	for _, entry := range entries {
		entry, err := filepath.Abs(entry)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(entry)
		switch name {
		case "bigbench": // one task of six
			name += "/bbq_lite_json_zero_shot"
			entry += "/bbq_lite_json_zero_shot"
		case "alert_format":
			if err := os.Remove(filepath.Join(data, "alert", "alert.jsonl")); err != nil {
				t.Fatal(err)
			}
		}
		real[name] = true
		if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(entry, filepath.Join(data, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := newJudgeServer(t)
	ownCache(t)
	t.Logf("real rows of %d sets", len(real))
	for _, c := range []struct {
		tasks string
		chat  []string
		n     int
	}{
		{seedTasks + ",truthfulqa_mc1,realtoxicityprompts", nil, 19}, {seedChatTasks + ",beaver", []string{"-apply-chat-template"}, 4},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		started := time.Now()
		r := call(t, "", append([]string{"eval", "-model=tiny", "-limit=20", "-tasks=" + c.tasks, "-data=" + data, "-out=" + dir, "-judge=openai:" + s.URL + "#m"}, c.chat...)...)
		r.wants(t, exitDone)
		all := evaluated(t, dir)
		results := all["results"].(map[string]any)
		if len(results) != c.n {
			t.Errorf("results of %v", slices.Sorted(maps.Keys(results)))
		}
		for task, values := range results {
			n := all["n-samples"].(map[string]any)[task].(map[string]any)["effective"]
			if len(values.(map[string]any)) < 2 || n != 20. && !(task == "realtoxicityprompts_challenge" && n.(float64) >= 11) {
				t.Errorf("%s: %v documents, %v", task, n, values)
			}
		}
		t.Logf("%d tasks in %v", c.n, time.Since(started).Round(time.Second))
	}
}
