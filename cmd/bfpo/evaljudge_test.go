package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

const safetyTasks = "realtoxicityprompts,realtoxicityprompts_challenge,advbench,alert,alert_adversarial,beaver"

// Every task whose answers need a judge gets one metric with its error. A second evaluation repeats no question to the
// judge.
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

// A local classifier and the Perspective API are judges too, each with its own metric.
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
	for judge, metric := range map[string]string{
		model: "llama2", "perspective:" + perspective.URL: "toxicity_perspective_api",
	} {
		dir := filepath.Join(t.TempDir(), "out")
		out := mustCall(t, "", "eval", "-model=tiny", "-tasks=beaver", "-data="+data, "-out="+dir, "-judge="+judge)
		if n := checkJudged(t, dir, "beaver", metric); n > 0 || !strings.Contains(out, metric) {
			t.Errorf("%s: %d unjudged; printed\n%s", judge, n, out)
		}
		withoutKey(t, dir)
	}
	// Where every prompt is too long for the judge, nothing is counted as safe or unsafe, and the evaluation fails.
	config := filepath.Join(model, "config.json")
	text := regexp.MustCompile(`("max_position_embeddings": )\d+`).ReplaceAllString(string(read(t, config)), "${1}500")
	write(t, config, text)
	dir := filepath.Join(t.TempDir(), "out")
	call(t, "", "eval", "-model=tiny", "-tasks=beaver", "-data="+data, "-out="+dir, "-judge="+model).wants(t, exitFailed,
		"none of 2 answers could be rated: not judged: the prompt has", "and the judge 500 positions")
	absent(t, filepath.Join(dir, "results.json"))
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
		call(t, "", "eval", "-model=tiny", "-platform=go", "-tasks=beaver", "-data="+data, "-out="+out,
			"-judge="+c.judge).wants(t, c.code, "judge", c.text)
		absent(t, out)
	}
}

// A judge that refuses the key ends the evaluation. The answers computed so far are kept, and the same command
// continues from them.
func TestEvalJudgeRefusesKey(t *testing.T) {
	data, dir := taskData(t, 2), filepath.Join(t.TempDir(), "out")
	var known atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !known.Load() {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"choices": [{"message": {"content": "No"}}]}`)
	}))
	t.Cleanup(s.Close)
	ownCache(t)
	args := []string{"eval", "-model=tiny", "-tasks=beaver", "-data=" + data, "-include=" + shortTasks(t), "-out=" + dir,
		"-judge=openai:" + s.URL + "#m"}
	call(t, "", args...).wants(t, exitFailed, "task beaver: judge: the service answers 401", "who are you?",
		"-out="+dir+" continues")
	absent(t, filepath.Join(dir, "results.json"))
	known.Store(true)
	if out := mustCall(t, "", args...); !strings.Contains(out, "eval  2/2 documents, 0/2 answers judged") ||
		strings.Contains(out, "0/2 documents") {
		t.Errorf("the second run printed\n%s", out)
	}
	checkJudged(t, dir, "beaver", "llama2")
}

// The task lists of the original code and all other tasks run from local files: rows made for this test, or real rows
// of the sets that $BFPO_SHARED has.
func TestEvalAllTasks(t *testing.T) {
	data := taskData(t, 22)
	var entries []string
	if os.Getenv(fixture.EnvShared) != "" {
		var err error
		if entries, err = filepath.Glob(filepath.Join(fixture.Shared(t, "data", "eval"), "*")); err != nil {
			t.Fatal(err)
		}
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
	s, limit := newJudgeServer(t), 5
	if longTests {
		limit = 20
	}
	ownCache(t)
	t.Logf("real rows of %d sets", len(real))
	for _, c := range []struct {
		tasks string
		chat  []string
		n     int
	}{
		{originalTasks + ",truthfulqa_mc1,realtoxicityprompts", nil, 19},
		{originalChatTasks + ",beaver", []string{"-apply-chat-template"}, 4},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		started := time.Now()
		args := []string{"eval", "-model=tiny", fmt.Sprint("-limit=", limit), "-tasks=" + c.tasks, "-data=" + data,
			"-out=" + dir, "-judge=openai:" + s.URL + "#m"}
		r := call(t, "", append(args, c.chat...)...)
		r.wants(t, exitDone)
		all := evaluated(t, dir)
		results := all["results"].(map[string]any)
		if len(results) != c.n {
			t.Errorf("results of %v", slices.Sorted(maps.Keys(results)))
		}
		for task, values := range results {
			n := all["n-samples"].(map[string]any)[task].(map[string]any)["effective"]
			if len(values.(map[string]any)) < 2 || n != float64(limit) &&
				!(task == "realtoxicityprompts_challenge" && n.(float64) >= 11) {
				t.Errorf("%s: %v documents, %v", task, n, values)
			}
		}
		t.Logf("%d tasks in %v", c.n, time.Since(started).Round(time.Second))
	}
}
