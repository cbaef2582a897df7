package task

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

const soundTask = `task: mine
local: rows.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_target: gold
doc_to_choice: ["a", "b"]
metric_list:
  - metric: acc
metadata:
  version: 1.5
`

func suggestFirst(_ string, known []string) string { return known[min(1, len(known)-1)] }

func readText(text string, others ...string) (Task, error) {
	files := fstest.MapFS{"mine.yaml": {Data: []byte(text)}}
	for i := 0; i < len(others); i += 2 {
		files[others[i]] = &fstest.MapFile{Data: []byte(others[i+1])}
	}
	return readTask(files, "folder", "mine.yaml", suggestFirst)
}

func TestReadTask(t *testing.T) {
	task, err := readText("include: _base.yaml\ntask: mine\n"+
		"generation_kwargs: {do_sample: true, temperature: 0.7, until: null}\n", "_base.yaml",
		"task: base\ndataset_path: a/b\ndataset_name: c\nvalidation_split: v\ntest_split: t\n"+
			"output_type: generate_until\ndoc_to_text: q\ndoc_to_target: ''\n"+
			"metric_list: [{metric: llama2, as: harmless, higher_is_better: false}]\ntag: [x]\n")
	if err != nil {
		t.Fatal(err)
	}
	if task.Name != "mine" || task.Split != "t" || !task.Judged() ||
		task.Metrics[0].Name != "harmless" || task.Metrics[0].HigherIsBetter {
		t.Errorf("task %+v", task)
	}
	g := task.Generation
	if len(g.Until) != 0 || g.Temperature != 0.7 || g.TopP != 1 || g.TopK != 50 || g.MaxTokens != 256 {
		t.Errorf("generation %+v", g)
	}
	task, err = readText(strings.Replace(soundTask, "acc", "acc_norm", 1))
	if err != nil || task.Version != "1.5" || task.Delimiter != " " {
		t.Errorf("task %+v, error %v", task, err)
	}
	// Without do_sample answers are greedy, and two line ends stop an answer.
	task, err = readText("task: x\nlocal: y\ntest_split: z\noutput_type: generate_until\n" +
		"doc_to_text: q\ndoc_to_target: r\n" +
		"metric_list: [{metric: llama2}]\ngeneration_kwargs: {temperature: 0.0, max_gen_toks: 8}\n")
	if g := task.Generation; err != nil || g.Temperature != 0 || len(g.Until) != 1 ||
		g.Until[0] != "\n\n" || g.MaxTokens != 8 {
		t.Errorf("generation %+v, error %v", g, err)
	}
}

func TestReadTaskErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", soundTask + "doc_to_txt: x\n",
			"folder/mine.yaml:12: doc_to_txt: unknown key; did you mean task?"},
		{"unknown key of a metric", strings.Replace(soundTask, "metric: acc", "metrik: acc", 1),
			"folder/mine.yaml:9: metric_list: metrik: unknown key"},
		{"given twice", soundTask + "task: other\n", "folder/mine.yaml:12: task: given twice"},
		{"Python", strings.Replace(soundTask, "gold", "!function utils.gold", 1),
			"folder/mine.yaml:6: doc_to_target: !function utils.gold: Python"},
		{"unknown metric", strings.Replace(soundTask, "acc", "f1", 1),
			"metric f1 is not one of multiple_choice tasks: acc, acc_norm"},
		{"no labels", strings.Replace(soundTask, "metric: acc", "metric: true_mass", 1),
			"metric true_mass needs labels"},
		{"output", strings.Replace(soundTask, "multiple_choice", "loglikelihood", 1),
			`mine.yaml:4: output_type: "loglikelihood" is not supported`},
		{"examples", soundTask + "num_fewshot: 5\n", "mine.yaml:12: num_fewshot: 5 is not supported"},
		{"template", strings.Replace(soundTask, "{{question}}", "{{question", 1), "mine.yaml:5: doc_to_text:"},
		{"missing keys", "task: mine\n",
			"folder/mine.yaml: missing: dataset_path (a set on the hub) or local (files); test_split"},
		{"two documents", soundTask + "---\ntask: other\n", "folder/mine.yaml: it has more than one YAML document"},
		{"no mapping", "- a\n", "folder/mine.yaml: want keys and values"},
		{"not YAML", "a: [", "folder/mine.yaml: yaml"},
		{"wrong kind", strings.Replace(soundTask, "task: mine", "task: [mine]", 1), "mine.yaml:1: task: want a text"},
		{"include of nothing", "include: other.yaml\n" + soundTask, "task file folder/other.yaml"},
		{"include of itself", "include: mine.yaml\n" + soundTask, "folder/mine.yaml includes itself"},
		{"temperature", soundTask + "generation_kwargs: {do_sample: true, temperature: 0}\n",
			"mine.yaml:12: generation_kwargs: temperature: want a number above 0"},
		{"aggregation", strings.Replace(soundTask, "metric: acc", "{metric: acc, aggregation: sum}", 1),
			"folder/mine.yaml:9: metric_list: aggregation: sum is not supported"},
		{"metric that is a text", strings.Replace(soundTask, "metric: acc", "acc", 1),
			"folder/mine.yaml:9: metric_list: want keys and values"},
	} {
		_, err := readText(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		} else if strings.Count(err.Error(), "folder/mine.yaml") > 1 && !strings.HasPrefix(c.name, "include") {
			t.Errorf("%s: the place is named twice: %v", c.name, err)
		}
	}
}

func FuzzReadTask(f *testing.F) {
	f.Add(soundTask)
	f.Add("task: x\ngeneration_kwargs: {until: [a], do_sample: true}\nreferences: {correct: a}\n" +
		"metadata: {version: 1}\nlocal: [a, b]\n")
	f.Add("include: mine.yaml\ntask: &a x\nlocal: [*a, '../x', /etc/passwd]\nmetric_list: [{metric: acc, as: /x}]\n")
	f.Add("task: /../../../pwned\ndoc_to_text: '{{ (1 if a == 2 else 0) }}'\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			t.Skip() // the bounds below are for short texts
		}
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			if task, err := readText(text); err == nil && (CheckName(task.Name) != nil || len(task.Metrics) == 0) {
				t.Errorf("%q gives %+v", text, task)
			}
		})
	})
}

func TestCatalog(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("mine.yaml", soundTask)
	write("own.yaml", strings.Replace(soundTask, "task: mine", "task: toxigen", 1))
	write("_base.yaml", "no: task")
	write("README.md", "no: task")
	c, err := NewCatalog(dir, suggestFirst)
	if err != nil {
		t.Fatal(err)
	}
	// Both task lists of the original code's README, of which the second begins with "tasks=", further names in its
	// text, and ours.
	names := "tasks=truthfulqa_gen,truthfulqa_mc2,crows_pairs_english,ethics_cm,ethics_justice," +
		"ethics_deontology,ethics_utilitarianism,ethics_virtue,toxigen,winogrande," +
		"bigbench_hhh_alignment_multiple_choice,bigbench_fact_checker_multiple_choice," +
		"bigbench_moral_permissibility_multiple_choice,bigbench_bbq_lite_json_multiple_choice," +
		"bigbench_known_unknowns_multiple_choice,bigbench_simple_ethical_questions_multiple_choice," +
		"realtoxicityprompts_challenge,hhh_alignment,advbench,alert,alert_adversarial,beaver," +
		"realtoxicityprompts,truthfulqa_mc1,redteam,mine"
	tasks, notices, err := c.Select(strings.Split(names, ","))
	if err != nil {
		t.Fatal(err)
	}
	// hhh_alignment is an alias of a task that is in the list already.
	if len(tasks) != len(strings.Split(names, ","))-1 || len(c.Names()) != len(tasks) {
		t.Errorf("%d tasks of %d", len(tasks), len(c.Names()))
	}
	if len(notices) != 1 || notices[0] != "task hhh_alignment is bigbench_hhh_alignment_multiple_choice" {
		t.Errorf("notices %q", notices)
	}
	if tasks[8].Name != "toxigen" || tasks[8].File != dir+"/own.yaml" {
		t.Errorf("toxigen is from %s", tasks[8].File)
	}
	_, _, err = c.Select([]string{"mime"})
	if err == nil || !strings.Contains(err.Error(), `task "mime" is unknown; did you mean`) ||
		!strings.Contains(err.Error(), "; there are: advbench, alert, ") {
		t.Errorf("an unknown task gives %v", err)
	}
}

// A file that cannot be read, or defines a task once more, refuses no task but its own.
func TestCatalogWithBrokenFiles(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret.yaml")
	files := map[string]string{
		filepath.Join(dir, "sound.yaml"):   strings.Replace(soundTask, "task: mine", "task: sound", 1),
		filepath.Join(dir, "mine.yaml"):    soundTask,
		filepath.Join(dir, "again.yaml"):   soundTask,
		filepath.Join(dir, "paren.yaml"):   strings.Replace(soundTask, "task: mine", "task: odd\nunknown: 1", 1),
		filepath.Join(dir, "torn.yaml"):    "a: [",
		filepath.Join(dir, "evil.yaml"):    strings.Replace(soundTask, "task: mine", "task: /../../../pwned", 1),
		filepath.Join(dir, "away.yaml"):    strings.Replace(soundTask, "rows.jsonl", "../../rows.jsonl", 1),
		filepath.Join(dir, "include.yaml"): "include: ../secret.yaml\n" + soundTask,
		filepath.Join(dir, "huge.yaml"):    "#" + strings.Repeat(" ", maxTaskFile),
		secret:                             strings.Replace(soundTask, "task: mine", "task: secret", 1),
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	c, err := NewCatalog(dir, suggestFirst)
	if err != nil {
		t.Fatal(err)
	}
	if tasks, _, err := c.Select([]string{"sound", "toxigen"}); err != nil || len(tasks) != 2 {
		t.Errorf("%d tasks, %v", len(tasks), err)
	}
	for name, want := range map[string]string{
		"odd": "paren.yaml:2: unknown: unknown key", "torn": "torn.yaml: yaml", "mine": "", "link": "escapes",
		"/../../../pwned": "evil.yaml: task: \"/../../../pwned\": want a name of letters", "huge": "huge.yaml",
		"nowhere": "task files that could not be read: 6, among them: ", "secret": "is unknown",
	} {
		_, _, err := c.Select([]string{name})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		} else if strings.Contains(err.Error(), "there are: ") != strings.Contains(err.Error(), "is unknown") {
			t.Errorf("%s: the known tasks are listed for an unknown one alone: %v", name, err)
		}
	}
}
